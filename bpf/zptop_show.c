// SPDX-License-Identifier: MIT
/*
 * zptop_show - a sample as text, JSON or CSV
 *
 * Text is for people and rounds; JSON and CSV are for programs, have the full numbers, and only get
 * new names and columns behind the old ones.
 */
#include <inttypes.h>
#include <string.h>

#include "common.h"
#include "zptop_show.h"

#define BAR	10

void zptop_show_head(char *text, size_t size, bool processes)
{
	if (processes)
		snprintf(text, size, "%-22s %5s %5s %8s %8s %5s %5s %6s", "PROCESS", "WRITE",
			 "READ", "OUT MB/s", "IN MB/s", "PAUS%", "WAIT%", "HELD");
	else
		snprintf(text, size,
			 "%6s %-17s %-17s %8s %-12s %6s %6s %5s %5s %7s %6s %6s %6s %6s",
			 "PIPE", "WRITER", "READER", "MB/s", "FILL", "HELD", "UNEX", "PAUS%",
			 "WAIT%", "MSG/s", "SEG/s", "WAKE/s", "COPY/B", "KEPT");
}

static const char *who(char *text, size_t size, const struct zptop_who *who)
{
	char name[16];

	snprintf(name, sizeof(name), "%.9s", who->comm);
	if (!who->pid)
		snprintf(text, size, "-");
	else if (who->others)
		snprintf(text, size, "%s/%d+%u", name, who->pid, who->others);
	else
		snprintf(text, size, "%s/%d", name, who->pid);
	return text;
}

/* A rate in at most six characters. */
static const char *rate(char *text, double value)
{
	static const char units[] = " kMG";
	unsigned int k = 0;

	while (value >= 99999.5 && k < sizeof(units) - 2) {
		value /= 1000;
		k++;
	}
	if (!k)
		snprintf(text, 16, value > 0 && value < 9.95 ? "%.1f" : "%.0f", value);
	else
		snprintf(text, 16, "%.0f%c", value < 99999 ? value : 99999, units[k]);
	return text;
}

static const char *fill(char *text, size_t size, const struct zptop_row *row)
{
	char bar[BAR + 1];
	int filled = (int)(row->fill * BAR / 100 + 0.5);

	if (row->gone) {
		snprintf(text, size, "gone");
	} else if (!row->capacity) {
		snprintf(text, size, "?");
	} else {
		memset(bar, ' ', BAR);
		memset(bar, '#', (size_t)filled);
		bar[BAR] = '\0';
		snprintf(text, size, "[%s]", bar);
	}
	return text;
}

void zptop_show_row(char *text, size_t size, const struct zptop_row *row)
{
	char writer[40], reader[40], bar[16], held[8], unexamined[8], kept[8], copies[16];
	char messages[16], segments[16], wakes[16];

	if (row->copies < 0)
		snprintf(copies, sizeof(copies), "-");
	else
		snprintf(copies, sizeof(copies), "%.2f", row->copies < 999 ? row->copies : 999);
	snprintf(text, size,
		 "%6" PRIu64
		 " %-17.17s %-17.17s %8.1f %-12s %6s %6s %5.1f %5.1f %7s %6s %6s %6s %6s",
		 row->id, who(writer, sizeof(writer), &row->writer),
		 who(reader, sizeof(reader), &row->reader), row->bytes / 1e6,
		 fill(bar, sizeof(bar), row), zb_size(held, (double)row->held),
		 zb_size(unexamined, (double)row->unexamined), row->paused, row->waiting,
		 rate(messages, row->messages), rate(segments, row->segments),
		 rate(wakes, row->wakes), copies, zb_size(kept, (double)row->preserved));
}

void zptop_show_process(char *text, size_t size, const struct zptop_process *process)
{
	char name[40], held[8];

	snprintf(name, sizeof(name), "%.15s/%d", process->comm, process->pid);
	snprintf(text, size, "%-22.22s %5u %5u %8.1f %8.1f %5.1f %5.1f %6s", name,
		 process->writes_to, process->reads_from, process->sent / 1e6,
		 process->received / 1e6, process->paused, process->waiting,
		 zb_size(held, (double)process->held));
}

void zptop_show_sum(char *text, size_t size, const struct zptop_sample *sample)
{
	const struct zptop_row *sum = &sample->sum;
	char held[8], capacity[8], kept[8], copies[32] = "", lost[48] = "";

	if (sum->copies >= 0)
		snprintf(copies, sizeof(copies), ", %.2f copies per byte", sum->copies);
	if (sample->lost)
		snprintf(lost, sizeof(lost), ", %" PRIu64 " EVENTS LOST", sample->lost);
	snprintf(text, size,
		 "%zu pipe%s, %zu process%s, %.1f MB/s%s, %s of %s held, %s preserved%s",
		 sample->nr_rows, sample->nr_rows == 1 ? "" : "s", sample->nr_processes,
		 sample->nr_processes == 1 ? "" : "es", sum->bytes / 1e6, copies,
		 zb_size(held, (double)sum->held), zb_size(capacity, (double)sum->capacity),
		 zb_size(kept, (double)sum->preserved), lost);
}

void zptop_show_text(FILE *file, const struct zptop_sample *sample, bool processes, size_t most)
{
	char text[ZPTOP_WIDTH];
	size_t k, number = processes ? sample->nr_processes : sample->nr_rows;
	size_t shown = most && most < number ? most : number;

	zptop_show_sum(text, sizeof(text), sample);
	fprintf(file, "%s\n", text);
	zptop_show_head(text, sizeof(text), processes);
	fprintf(file, "%s\n", text);
	for (k = 0; k < shown; k++) {
		if (processes)
			zptop_show_process(text, sizeof(text), &sample->processes[k]);
		else
			zptop_show_row(text, sizeof(text), &sample->rows[k]);
		fprintf(file, "%s\n", text);
	}
	if (shown < number)
		fprintf(file, "... and %zu more\n", number - shown);
	fputc('\n', file);
}

static void json_who(FILE *file, const char *name, const struct zptop_who *who)
{
	if (!who->pid) {
		fprintf(file, ",\"%s\":null", name);
		return;
	}
	fprintf(file, ",\"%s\":{\"pid\":%d,\"comm\":", name, who->pid);
	zb_quote(file, who->comm);
	fprintf(file, ",\"calls\":%" PRIu64 ",\"others\":%u}", who->calls, who->others);
}

static void json_row(FILE *file, const struct zptop_row *row)
{
	const struct zptop_pipe *total = &row->total;
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "capacity", row->capacity }, { "published", total->flow.published },
		{ "examined", total->flow.examined }, { "consumed", total->flow.consumed },
		{ "held", row->held }, { "unexamined", row->unexamined },
		{ "preserved", row->preserved }, { "delivered", row->delivered },
		{ "flushes", total->flushes }, { "writes", total->writes },
		{ "segments_opened", total->opened }, { "segments_freed", total->freed },
		{ "pauses", total->pauses }, { "paused_ns", total->paused_ns },
		{ "writer_waits", total->waits[0].number },
		{ "writer_wait_ns", total->waits[0].ns },
		{ "reader_waits", total->waits[1].number },
		{ "reader_wait_ns", total->waits[1].ns },
		{ "writer_wakes", total->wakes[0] }, { "reader_wakes", total->wakes[1] },
		{ "copied", total->copied },
	};
	size_t k;

	fprintf(file, "{\"pipe\":%" PRIu64 ",\"gone\":%s", row->id, row->gone ? "true" : "false");
	json_who(file, "writer", &row->writer);
	json_who(file, "reader", &row->reader);
	for (k = 0; k < sizeof(numbers) / sizeof(*numbers); k++)
		fprintf(file, ",\"%s\":%" PRIu64, numbers[k].name, numbers[k].value);
	fprintf(file, ",\"bytes_per_s\":%.0f,\"messages_per_s\":%.1f,\"segments_per_s\":%.1f,"
		"\"wakes_per_s\":%.1f,\"fill_percent\":%.2f,\"paused_percent\":%.2f,"
		"\"reader_waiting_percent\":%.2f,\"writer_waiting_percent\":%.2f,"
		"\"copies_per_byte\":", row->bytes, row->messages, row->segments, row->wakes,
		row->fill, row->paused, row->waiting, row->writer_waiting);
	if (row->copies < 0)
		fprintf(file, "null}");
	else
		fprintf(file, "%.6f}", row->copies);
}

void zptop_show_json(FILE *file, const struct zptop_sample *sample)
{
	size_t k;

	fprintf(file, "{\"time\":%.3f,\"seconds\":%.6f,\"lost\":%" PRIu64 ",\"pipes\":[",
		sample->time, sample->seconds, sample->lost);
	for (k = 0; k < sample->nr_rows; k++) {
		if (k)
			fputc(',', file);
		json_row(file, &sample->rows[k]);
	}
	fprintf(file, "],\"processes\":[");
	for (k = 0; k < sample->nr_processes; k++) {
		const struct zptop_process *process = &sample->processes[k];

		fprintf(file, "%s{\"pid\":%d,\"comm\":", k ? "," : "", process->pid);
		zb_quote(file, process->comm);
		fprintf(file, ",\"writes_to\":%u,\"reads_from\":%u,\"calls\":%" PRIu64
			",\"sent_per_s\":%.0f,\"received_per_s\":%.0f,\"held\":%" PRIu64 "}",
			process->writes_to, process->reads_from, process->total_calls,
			process->sent, process->received, process->held);
	}
	fprintf(file, "]}\n");
}

void zptop_show_csv_head(FILE *file)
{
	fprintf(file, "time,seconds,pipe,writer,writer_pid,reader,reader_pid,capacity,delivered,"
		"bytes_per_s,messages_per_s,segments_per_s,wakes_per_s,held,unexamined,"
		"fill_percent,paused_percent,reader_waiting_percent,writer_waiting_percent,"
		"copies_per_byte,preserved,gone,lost\n");
}

void zptop_show_csv(FILE *file, const struct zptop_sample *sample)
{
	size_t k;

	for (k = 0; k < sample->nr_rows; k++) {
		const struct zptop_row *row = &sample->rows[k];

		fprintf(file, "%.3f,%.6f,%" PRIu64 ",", sample->time, sample->seconds, row->id);
		zb_quote(file, row->writer.comm);
		fprintf(file, ",%d,", row->writer.pid);
		zb_quote(file, row->reader.comm);
		fprintf(file, ",%d,%" PRIu64 ",%" PRIu64 ",%.0f,%.1f,%.1f,%.1f,%" PRIu64 ",%" PRIu64
			",%.2f,%.2f,%.2f,%.2f,", row->reader.pid, row->capacity, row->delivered,
			row->bytes, row->messages, row->segments, row->wakes, row->held,
			row->unexamined, row->fill, row->paused, row->waiting, row->writer_waiting);
		if (row->copies >= 0)
			fprintf(file, "%.6f", row->copies);
		fprintf(file, ",%" PRIu64 ",%d,%" PRIu64 "\n", row->preserved, row->gone,
			sample->lost);
	}
	fflush(file);
}
