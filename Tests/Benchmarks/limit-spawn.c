// How fast commands can be run one after the other: limit-spawn COUNT COMMAND [ARGUMENT...]
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argument_count, char **words) {
  if (argument_count < 3) return 64;
  for (long left = strtol(words[1], NULL, 10); left > 0; left--) {
    pid_t child;
    int status;
    if (posix_spawn(&child, words[2], NULL, NULL, words + 2, environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0) {
      fprintf(stderr, "%s: cannot be run, or failed\n", words[2]);
      return 1;
    }
  }
}
