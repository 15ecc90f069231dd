// What the small C programs share: a connection to $AMQP_URL on channel 1, and an end at the first surprise.
// With TLS they trust the authorities in the file $SSL_CERT_FILE.
#pragma once

#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline _Noreturn void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static inline void check(int status, const char *what) {
  if (status != AMQP_STATUS_OK) fail(what, amqp_error_string2(status));
}

static inline void check_reply(amqp_rpc_reply_t reply, const char *what) {
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) check(reply.library_error, what);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail(what, "refused by the broker");
}

static inline amqp_connection_state_t connect_to_broker(void) {
  const char *address = getenv("AMQP_URL");
  if (address == NULL) fail("AMQP_URL", "not set");
  struct amqp_connection_info url;
  char *parsed = strdup(address); // the URL's parts point into it
  check(amqp_parse_url(parsed, &url), "AMQP_URL");
  amqp_connection_state_t broker = amqp_new_connection();
  amqp_socket_t *socket = url.ssl ? amqp_ssl_socket_new(broker) : amqp_tcp_socket_new(broker);
  if (url.ssl) check(amqp_ssl_socket_set_cacert(socket, getenv("SSL_CERT_FILE")), "SSL_CERT_FILE");
  check(amqp_socket_open(socket, url.host, url.port), "connect");
  check_reply(
      amqp_login(broker, url.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, url.user, url.password), "log in");
  amqp_channel_open(broker, 1);
  check_reply(amqp_get_rpc_reply(broker), "open a channel");
  free(parsed);
  return broker;
}

static inline void leave(amqp_connection_state_t broker) {
  check_reply(amqp_connection_close(broker, AMQP_REPLY_SUCCESS), "close");
  check(amqp_destroy_connection(broker), "close");
}
