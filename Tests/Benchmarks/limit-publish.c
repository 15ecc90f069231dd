// How fast lines can be published with rabbitmq-c: limit-publish QUEUE WINDOW [bare] < LINES
//
// Each line is a persistent, mandatory message; WINDOW of them at most are unconfirmed. Exit code 0 says
// that the broker has confirmed all of them and returned none. They have a message id and a timestamp, as
// many bytes on the wire as workq's have; "bare" leaves them out.
#include "connect.h"

#include <stdbool.h>
#include <time.h>

static amqp_connection_state_t broker;
static uint64_t window, sent, confirmed; // `confirmed`: all messages up to this one are
static bool *is_confirmed;               // by number, for those after `confirmed`

static void confirm(const amqp_basic_ack_t *ack) {
  if (ack->delivery_tag <= confirmed || ack->delivery_tag > sent)
    fail("confirm", "of a message not in flight");
  uint64_t first = ack->multiple ? confirmed + 1 : ack->delivery_tag;
  for (uint64_t number = first; number <= ack->delivery_tag; number++) is_confirmed[number % window] = true;
  while (confirmed < sent && is_confirmed[(confirmed + 1) % window])
    is_confirmed[++confirmed % window] = false;
}

// Reads one frame; waits for it if `timeout` is NULL.
static bool read_confirm(const struct timeval *timeout) {
  amqp_frame_t frame;
  int status = amqp_simple_wait_frame_noblock(broker, &frame, timeout);
  if (status == AMQP_STATUS_TIMEOUT) return false;
  check(status, "read");
  if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
    fail("read", "something else than a confirm");
  confirm(frame.payload.method.decoded);
  return true;
}

// Waits until there is room in the window, and takes the other confirms that are there already.
static void make_room(void) {
  const struct timeval at_once = {0, 0};
  read_confirm(NULL);
  while (read_confirm(&at_once)) {}
  amqp_maybe_release_buffers(broker);
}

static void publish(const char *queue, amqp_bytes_t body, amqp_basic_properties_t *properties) {
  char id[37];
  if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) {
    snprintf(id, sizeof id, "00000000-0000-4000-8000-%012llx", (unsigned long long)sent);
    properties->message_id = amqp_cstring_bytes(id);
    properties->timestamp = (uint64_t)time(NULL);
  }
  check(
      amqp_basic_publish(broker, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 1, 0, properties, body),
      "publish");
  sent++;
}

int main(int count, char **words) {
  if (count < 3) fail("usage", "limit-publish QUEUE WINDOW [bare]");
  window = strtoull(words[2], NULL, 10);
  is_confirmed = calloc(window, sizeof *is_confirmed);
  amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
  if (count == 3) properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;

  broker = connect_to_broker();
  amqp_confirm_select(broker, 1);
  check_reply(amqp_get_rpc_reply(broker), "switch confirms on");
  char *line = NULL;
  size_t capacity = 0;
  for (ssize_t length; (length = getline(&line, &capacity, stdin)) > 0;) {
    if (line[length - 1] == '\n') length--;
    publish(words[1], (amqp_bytes_t){(size_t)length, line}, &properties);
    while (sent - confirmed == window) make_room();
  }
  while (confirmed < sent) make_room();
  leave(broker);
}
