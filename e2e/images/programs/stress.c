/* "stress … --vm-bytes 100M … -t 30": holds that much memory, written to, for that many seconds. Other options are not looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *option(char **argv, const char *name) {
  for (; argv[0] != NULL && argv[1] != NULL; argv++)
    if (strcmp(argv[0], name) == 0) return argv[1];
  fprintf(stderr, "stress: %s is missing\n", name);
  exit(2);
}

int main(int argc, char **argv) {
  (void)argc;
  /* A little more than asked for, as the original's two processes take. */
  size_t bytes = (strtoul(option(argv, "--vm-bytes"), NULL, 10) + 1) << 20;
  unsigned seconds = (unsigned)strtoul(option(argv, "-t"), NULL, 10);
  volatile char *memory = malloc(bytes);
  if (memory == NULL) return 1;
  for (size_t at = 0; at < bytes; at += 1024) memory[at] = 1;
  sleep(seconds);
  return 0;
}
