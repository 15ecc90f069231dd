// How fast tasks can be taken with rabbitmq-c: limit-work QUEUE COUNT PREFETCH [BATCH]
//
// Takes COUNT messages, does nothing with them, and acknowledges each one, or BATCH of them at a time.
#include "connect.h"

static amqp_connection_state_t broker;

static amqp_frame_t next_frame(void) {
  amqp_frame_t frame;
  amqp_maybe_release_buffers(broker);
  check(amqp_simple_wait_frame(broker, &frame), "read");
  return frame;
}

// Reads one whole message and returns its delivery tag.
static uint64_t take(void) {
  amqp_frame_t frame = next_frame();
  if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_DELIVER_METHOD)
    fail("read", "something else than a delivery");
  uint64_t tag = ((amqp_basic_deliver_t *)frame.payload.method.decoded)->delivery_tag;
  frame = next_frame();
  if (frame.frame_type != AMQP_FRAME_HEADER) fail("read", "no header");
  for (uint64_t missing = frame.payload.properties.body_size; missing > 0;) {
    frame = next_frame();
    if (frame.frame_type != AMQP_FRAME_BODY) fail("read", "no body");
    missing -= frame.payload.body_fragment.len;
  }
  return tag;
}

int main(int argument_count, char **words) {
  if (argument_count < 4) fail("usage", "limit-work QUEUE COUNT PREFETCH [BATCH]");
  uint64_t count = strtoull(words[2], NULL, 10);
  uint64_t batch = argument_count > 4 ? strtoull(words[4], NULL, 10) : 1;
  broker = connect_to_broker();
  amqp_basic_qos(broker, 1, 0, (uint16_t)strtoul(words[3], NULL, 10), 0);
  check_reply(amqp_get_rpc_reply(broker), "set the prefetch");
  amqp_basic_consume(
      broker, 1, amqp_cstring_bytes(words[1]), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  check_reply(amqp_get_rpc_reply(broker), "consume");
  for (uint64_t done = 1; done <= count; done++) {
    uint64_t tag = take();
    if (done % batch == 0 || done == count) check(amqp_basic_ack(broker, 1, tag, batch > 1), "acknowledge");
  }
  leave(broker);
}
