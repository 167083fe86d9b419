// SPDX-License-Identifier: MIT
/*
 * tls - TLS as two stages that share a session: one seals, one opens
 *
 * OpenSSL is given memory instead of a socket: what is for the other side collects in
 * one buffer, what came from it is put into another. The handshake needs no special
 * care: both stages are run together, and whatever one call puts into the buffer, the
 * next one of the sealing stage takes out, also when it has nothing to seal.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "stages.h"

static int as_int(size_t n)
{
	return n < INT_MAX ? (int)n : INT_MAX;
}

/* 0 if it only wants more bytes from the other side. */
static int error_of(const SSL *ssl, int ret)
{
	switch (SSL_get_error(ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return ZP_COMPLETED;
	}
	ERR_clear_error();
	return -EBADMSG;
}

/* Text to records. */
int stage_tls_seal(void *state, struct zp_stage_io *io)
{
	SSL *ssl = state;
	BIO *out = SSL_get_wbio(ssl);
	size_t len = io->in.nr_spans ? io->in.first.len : 0;
	int n, ret;

	ERR_clear_error();
	/* what lies ready goes first: nothing is sealed that could not leave soon */
	if (!BIO_ctrl_pending(out)) {
		if (!SSL_is_init_finished(ssl)) {
			n = SSL_do_handshake(ssl);
			ret = n == 1 ? 0 : error_of(ssl, n);
			if (ret)
				return ret < 0 ? ret : -EBADMSG;
		} else if (len) {
			n = SSL_write(ssl, io->in.first.data, as_int(len));
			if (n > 0)
				io->taken = (uint64_t)n;
			else if (error_of(ssl, n))
				return -EBADMSG;
		} else if (io->end && !(SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN)) {
			SSL_shutdown(ssl);
		}
	}
	n = BIO_read(out, io->out.data, as_int(io->out.len));
	io->made = n > 0 ? (size_t)n : 0;
	/* it is the other stage's turn: from it comes what the handshake waits for */
	if (!io->made && !SSL_is_init_finished(ssl))
		return ZP_STAGE_LATER;
	return io->end && SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN && !BIO_ctrl_pending(out) ?
		       ZP_COMPLETED :
		       0;
}

/* Records to text. */
int stage_tls_open(void *state, struct zp_stage_io *io)
{
	SSL *ssl = state;
	size_t len = io->in.nr_spans ? io->in.first.len : 0;
	int n, ret;

	ERR_clear_error();
	if (len) {
		n = BIO_write(SSL_get_rbio(ssl), io->in.first.data, as_int(len));
		if (n <= 0)
			return -ENOMEM;
		io->taken = (uint64_t)n;
	}
	n = SSL_read(ssl, io->out.data, as_int(io->out.len));
	if (n > 0) {
		io->made = (size_t)n;
		return 0;
	}
	ret = error_of(ssl, n);
	/* an end that was not announced may be an attack */
	return !ret && io->end && !io->taken ? -EBADMSG : ret;
}

SSL *stage_tls_new(SSL_CTX *context, int is_server)
{
	SSL *ssl = SSL_new(context);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	if (!ssl || !in || !out) {
		SSL_free(ssl);
		BIO_free(in);
		BIO_free(out);
		return NULL;
	}
	SSL_set_bio(ssl, in, out);
	if (is_server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}

/* A server needs a certificate: one that nobody has a reason to trust, for tests. */
SSL_CTX *stage_tls_self_signed(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	if (!X509_sign(cert, key, EVP_sha256()) || SSL_CTX_use_certificate(context, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(context, key) != 1) {
		SSL_CTX_free(context);
		context = NULL;
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	return context;
}
