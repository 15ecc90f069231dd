// How fast tasks can be taken with rabbitmq-c: limit-work QUEUE COUNT PREFETCH [BATCH [COMMAND [ARGUMENT...]]]
//
// Takes COUNT messages, does nothing with them or runs a command for each, the body on its stdin, one after the
// other, and acknowledges each one, or BATCH of them at a time.
#define _GNU_SOURCE
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "connect.h"

extern char **environ;

static amqp_connection_state_t broker;

static amqp_frame_t next_frame(void) {
  amqp_frame_t frame;
  amqp_maybe_release_buffers(broker);
  check(amqp_simple_wait_frame(broker, &frame), "read");
  return frame;
}

// Runs a command with that file as its stdin, to its end.
static void run(char **command, int input) {
  pid_t child;
  int status;
  posix_spawn_file_actions_t actions;
  lseek(input, 0, SEEK_SET);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  if (posix_spawnp(&child, command[0], &actions, NULL, command, environ) != 0 ||
      waitpid(child, &status, 0) != child || status != 0)
    fail(command[0], "cannot be run, or failed");
  posix_spawn_file_actions_destroy(&actions);
}

// Reads one whole message into a file, unless that is -1, and returns its delivery tag.
static uint64_t take(int file) {
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
    if (file >= 0 && write(file, frame.payload.body_fragment.bytes, frame.payload.body_fragment.len) < 0)
      fail("keep the body", "the file is full");
  }
  return tag;
}

int main(int argument_count, char **words) {
  if (argument_count < 4) fail("usage", "limit-work QUEUE COUNT PREFETCH [BATCH [COMMAND...]]");
  uint64_t count = strtoull(words[2], NULL, 10);
  uint64_t batch = argument_count > 4 ? strtoull(words[4], NULL, 10) : 1;
  char **command = argument_count > 5 ? words + 5 : NULL;
  broker = connect_to_broker();
  amqp_basic_qos(broker, 1, 0, (uint16_t)strtoul(words[3], NULL, 10), 0);
  check_reply(amqp_get_rpc_reply(broker), "set the prefetch");
  amqp_basic_consume(
      broker, 1, amqp_cstring_bytes(words[1]), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  check_reply(amqp_get_rpc_reply(broker), "consume");
  for (uint64_t done = 1; done <= count; done++) {
    int body = command == NULL ? -1 : memfd_create("body", MFD_CLOEXEC);
    uint64_t tag = take(body);
    if (command != NULL) {
      run(command, body);
      close(body);
    }
    if (done % batch == 0 || done == count) check(amqp_basic_ack(broker, 1, tag, batch > 1), "acknowledge");
  }
  leave(broker);
}
