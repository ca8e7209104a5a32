/*
 * Fetches the blocks of a file by range requests on a number of connections that are kept open, one request in flight
 * on each, and compares every block with the source.
 *
 * nginx-client PORT FILE BLOCK_BYTES CONNECTIONS MEASURE_MS PID...
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measuring.h"

#define MAX_HEAD 1024

struct connection {
  int socket;
  long block;
  long filled;
  unsigned char *buffer;
};

static struct source source;
static long block_bytes;
static long next_block;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void ask(struct connection *connection) {
  char request[256];
  long start = next_block * block_bytes;
  long end = start + block_bytes < source.size ? start + block_bytes : source.size;
  connection->block = next_block;
  next_block = end == source.size ? 0 : next_block + 1;
  connection->filled = 0;
  int length = snprintf(request, sizeof request, "GET /image HTTP/1.1\r\nHost: bench\r\nRange: bytes=%ld-%ld\r\n\r\n",
                        start, end - 1);
  if (write(connection->socket, request, length) != length) fail("write");
}

/* Says whether the whole block is there. */
static int take(struct connection *connection) {
  long count = read(connection->socket, connection->buffer + connection->filled, MAX_HEAD + block_bytes - connection->filled);
  if (count <= 0) fail("read");
  connection->filled += count;
  unsigned char *body = memmem(connection->buffer, connection->filled, "\r\n\r\n", 4);
  if (body == NULL) return 0;
  body += 4;
  long start = connection->block * block_bytes;
  long length = source.size - start < block_bytes ? source.size - start : block_bytes;
  if (body + length > connection->buffer + connection->filled) return 0;
  if (memcmp(body, source.bytes + start, length)) fail("a block is wrong");
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 6) fail("too few arguments");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  source = load_source(argv[2]);
  block_bytes = atol(argv[3]);
  int connections = atoi(argv[4]);
  double measure_ms = atof(argv[5]);
  int poll = epoll_create1(0);
  for (int i = 0; i < connections; i++) {
    struct connection *connection = malloc(sizeof *connection);
    int one = 1;
    connection->buffer = malloc(MAX_HEAD + block_bytes);
    connection->socket = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(connection->socket, (struct sockaddr *)&address, sizeof address)) fail("connect");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(poll, EPOLL_CTL_ADD, connection->socket, &event);
    ask(connection);
  }
  double began_ms = now_ms();
  struct reading first = {0, 0, 0};
  long blocks = 0;
  for (;;) {
    struct epoll_event events[64];
    int count = epoll_wait(poll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (!take(connection)) continue;
      blocks++;
      ask(connection);
    }
    double at_ms = now_ms();
    if (first.at_ms == 0) {
      if (at_ms - began_ms < measure_ms / 5) continue;
      first = take_reading(argc - 6, argv + 6);
      blocks = 0;
    } else if (at_ms - first.at_ms >= measure_ms) {
      print_report(first, take_reading(argc - 6, argv + 6), blocks, block_bytes);
      return 0;
    }
  }
}
