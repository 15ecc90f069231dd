// A resident command that does nothing but read lines and write results: the least that one can cost.
// It answers all the lines that one read brings with one write.
#include <string.h>
#include <unistd.h>

int main(void) {
  static char input[65536], output[2 * sizeof input];
  for (;;) {
    ssize_t count = read(0, input, sizeof input);
    if (count <= 0) return count < 0;
    size_t size = 0;
    for (const char *at = input, *end = input + count; (at = memchr(at, '\n', end - at)); at++) {
      output[size++] = '0';
      output[size++] = '\n';
    }
    for (size_t sent = 0; sent < size;) {
      ssize_t written = write(3, output + sent, size - sent);
      if (written < 0) return 1;
      sent += written;
    }
  }
}
