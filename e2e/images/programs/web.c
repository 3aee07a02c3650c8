/*
 * A web server as a container image has it: "NAME PORT" answers every request with one page. It keeps its process
 * id in /var/run/NAME.pid, is called "NAME: master process" in process lists, logs to standard output, and ends on
 * TERM, QUIT and INT.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char PAGE[] = "<html><body>It works!</body></html>\n";

static void quit(int signal) {
  (void)signal;
  _exit(0);
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void write_pid(const char *name) {
  char path[128];
  snprintf(path, sizeof path, "/var/run/%s.pid", name);
  FILE *file = fopen(path, "w");
  if (!file) fail(path);
  fprintf(file, "%d\n", (int)getpid());
  fclose(file);
}

static int listen_on(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 64)) fail("listen");
  return fd;
}

/* Reads to the end of the head; a silent client is let go after a second. */
static int read_head(int fd, char *head, size_t size) {
  struct timeval second = {.tv_sec = 1};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  size_t used = 0;
  while (used + 1 < size) {
    ssize_t got = read(fd, head + used, size - 1 - used);
    if (got <= 0) return 0;
    used += (size_t)got;
    head[used] = 0;
    if (strstr(head, "\r\n\r\n")) return 1;
  }
  return 0;
}

static void answer(int fd, const char *name) {
  char head[8192], reply[512];
  if (read_head(fd, head, sizeof head)) {
    int length = snprintf(reply, sizeof reply,
                          "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                          sizeof PAGE - 1, PAGE);
    if (write(fd, reply, (size_t)length) == length) printf("%s: %.*s 200\n", name, (int)strcspn(head, "\r"), head);
  }
  close(fd);
}

int main(int argc, char **argv) {
  if (argc != 2 && argc != 3) return 2;
  if (argc == 2) {
    /* The name in process lists is argv[0]: run this very file again under it, with the real name behind. */
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash ? slash + 1 : argv[0];
    char title[128];
    snprintf(title, sizeof title, "%s: master process", name);
    execl(argv[0], title, name, argv[1], (char *)0);
    fail(argv[0]);
  }
  signal(SIGTERM, quit);
  signal(SIGQUIT, quit);
  signal(SIGINT, quit);
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, 0, _IOLBF, 0);
  int server = listen_on(atoi(argv[2]));
  write_pid(argv[1]);
  printf("%s: listening on port %s\n", argv[1], argv[2]);
  for (;;) {
    int client = accept4(server, 0, 0, SOCK_CLOEXEC);
    if (client >= 0) answer(client, argv[1]);
  }
}
