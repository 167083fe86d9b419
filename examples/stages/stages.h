/* SPDX-License-Identifier: MIT */
/*
 * stages - transforms for struct zp_stage, over libraries that programs have
 *
 * Each is a function for zp_stage.transform; its state is made and freed as said here.
 * One that cannot go on says -EBADMSG for input that is not what it should be.
 */
#ifndef STAGES_H
#define STAGES_H

#include <stdlib.h>
#include <openssl/ssl.h>
#include <zlib.h>
#include <zpipe.h>

/* zlib.c: the state is a z_stream of its own. */
int stage_gzip(void *state, struct zp_stage_io *io);
int stage_gunzip(void *state, struct zp_stage_io *io);
z_stream *stage_gzip_new(int level);
z_stream *stage_gunzip_new(void);
void stage_gzip_free(z_stream *z);
void stage_gunzip_free(z_stream *z);

/* zstd.c: the state is a ZSTD_CCtx or a ZSTD_DCtx. */
int stage_zstd(void *state, struct zp_stage_io *io);
int stage_unzstd(void *state, struct zp_stage_io *io);

/* tls.c: the state, of both, is an SSL of stage_tls_new(). */
int stage_tls_seal(void *state, struct zp_stage_io *io);
int stage_tls_open(void *state, struct zp_stage_io *io);
SSL *stage_tls_new(SSL_CTX *context, int is_server);
SSL_CTX *stage_tls_self_signed(void);

#endif /* STAGES_H */
