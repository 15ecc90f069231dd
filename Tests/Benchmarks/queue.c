// What the benchmark asks of queues:
//
//   queue fresh QUEUE                                       make it anew: durable and empty
//   queue wait QUEUE MESSAGES CONSUMERS SECONDS             wait until it has just so many of both
//
// The broker counts the messages that nobody holds; without a consumer these are all there are.
#include "connect.h"

#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void make_anew(amqp_connection_state_t broker, const char *queue) {
  amqp_queue_delete(broker, 1, amqp_cstring_bytes(queue), 0, 0);
  check_reply(amqp_get_rpc_reply(broker), "delete the queue");
  amqp_queue_declare(broker, 1, amqp_cstring_bytes(queue), 0, 1, 0, 0, amqp_empty_table);
  check_reply(amqp_get_rpc_reply(broker), "declare the queue");
}

static void wait_for(
    amqp_connection_state_t broker, const char *queue, uint32_t messages, uint32_t consumers,
    double timeout) {
  const struct timespec pause = {0, 1000000};
  double deadline = now() + timeout;
  while (1) {
    amqp_queue_declare_ok_t *found =
        amqp_queue_declare(broker, 1, amqp_cstring_bytes(queue), 1, 0, 0, 0, amqp_empty_table);
    check_reply(amqp_get_rpc_reply(broker), "ask for the queue");
    if (found->message_count == messages && found->consumer_count == consumers) return;
    if (now() > deadline) {
      fprintf(
          stderr, "the queue has %u messages and %u consumers, not %u and %u\n", found->message_count,
          found->consumer_count, messages, consumers);
      exit(1);
    }
    amqp_maybe_release_buffers(broker);
    nanosleep(&pause, NULL);
  }
}

int main(int count, char **words) {
  if (count != 3 && count != 6) fail("usage", "queue fresh QUEUE | wait QUEUE MESSAGES CONSUMERS SECONDS");
  amqp_connection_state_t broker = connect_to_broker();
  if (count == 3) {
    make_anew(broker, words[2]);
  } else {
    uint32_t messages = (uint32_t)strtoul(words[3], NULL, 10);
    wait_for(broker, words[2], messages, (uint32_t)strtoul(words[4], NULL, 10), strtod(words[5], NULL));
  }
  leave(broker);
}
