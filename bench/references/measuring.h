/* What both C clients need to measure: the clock, the processor time of other processes, a file in memory, the report. */
#ifndef MEASURING_H
#define MEASURING_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_PIDS 8

struct reading {
  double at_ms;
  double server_us;
  double receiver_us;
};

struct source {
  unsigned char *bytes;
  long size;
};

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* All of the server's processes have one thread. */
static double process_us(const char *pid) {
  char path[64];
  double nanoseconds = 0;
  snprintf(path, sizeof path, "/proc/%s/schedstat", pid);
  FILE *books = fopen(path, "r");
  if (books == NULL) return 0;
  if (fscanf(books, "%lf", &nanoseconds) != 1) nanoseconds = 0;
  fclose(books);
  return nanoseconds / 1e3;
}

static struct reading take_reading(int pid_count, char **pids) {
  struct reading reading = {now_ms(), 0, process_us("self")};
  for (int i = 0; i < pid_count; i++) reading.server_us += process_us(pids[i]);
  return reading;
}

static struct source load_source(const char *path) {
  struct source source = {NULL, 0};
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  source.size = ftell(file);
  rewind(file);
  source.bytes = malloc(source.size);
  if (fread(source.bytes, 1, source.size, file) != (size_t)source.size) exit(1);
  fclose(file);
  return source;
}

static void print_report(struct reading first, struct reading last, long blocks, long block_bytes) {
  printf("{\"blocks\":%ld,\"bytes\":%ld,\"seconds\":%.6f,\"serverCpuUs\":%.0f,\"receiverCpuUs\":%.0f}\n", blocks,
         blocks * block_bytes, (last.at_ms - first.at_ms) / 1e3, last.server_us - first.server_us,
         last.receiver_us - first.receiver_us);
}

#endif
