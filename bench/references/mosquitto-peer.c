/*
 * Both ends of a download over mosquitto with libmosquitto: a publisher that sends blocks when asked, and a receiver
 * that keeps a fixed number of requests in flight and compares every block with the source.
 *
 * mosquitto-peer publish PORT FILE BLOCK_BYTES
 * mosquitto-peer receive PORT FILE BLOCK_BYTES REQUEST_BLOCKS REQUESTS MEASURE_MS PID...
 */
#include <mosquitto.h>
#include <stdint.h>
#include <string.h>

#include "measuring.h"

#define GET_TOPIC "$aws/things/bench/streams/bench/get/cbor"
#define DATA_TOPIC "$aws/things/bench/streams/bench/data/cbor"

static int is_publisher;
static struct source source;
static long block_bytes;
static long file_blocks;

struct request {
  uint32_t first_block;
  uint32_t block_count;
};

static uint32_t request_blocks;
static int requests;
static double measure_ms;
static int pid_count;
static char **pids;
static uint32_t next_asked;
static uint32_t next_expected;
static long received;
static long counted_from;
static double began_ms;
static struct reading first_reading;

static void fail(const char *what) {
  fprintf(stderr, "mosquitto-peer: %s\n", what);
  exit(1);
}

static void answer(struct mosquitto *client, void *unused, const struct mosquitto_message *message) {
  static unsigned char payload[4 + 131072];
  struct request request;
  (void)unused;
  memcpy(&request, message->payload, sizeof request);
  for (uint32_t i = 0; i < request.block_count; i++) {
    uint32_t block = request.first_block + i;
    memcpy(payload, &block, 4);
    memcpy(payload + 4, source.bytes + block * block_bytes, block_bytes);
    if (mosquitto_publish(client, NULL, DATA_TOPIC, 4 + block_bytes, payload, 0, false)) fail("publish");
  }
}

static void ask_next(struct mosquitto *client) {
  struct request request = {next_asked, request_blocks};
  if (request.first_block + request.block_count > file_blocks) request.block_count = file_blocks - request.first_block;
  next_asked = (request.first_block + request.block_count) % file_blocks;
  if (mosquitto_publish(client, NULL, GET_TOPIC, sizeof request, &request, 0, false)) fail("request");
}

static void take_block(struct mosquitto *client, void *unused, const struct mosquitto_message *message) {
  const unsigned char *payload = message->payload;
  uint32_t block;
  (void)unused;
  memcpy(&block, payload, 4);
  if (message->payloadlen != 4 + block_bytes || block != next_expected) fail("a block is missing");
  if (memcmp(payload + 4, source.bytes + block * block_bytes, block_bytes)) fail("a block is wrong");
  next_expected = (block + 1) % file_blocks;
  if (++received % request_blocks == 0) ask_next(client);
  if (next_expected != 0) return;
  double elapsed_ms = now_ms() - began_ms;
  if (counted_from == 0 && elapsed_ms >= measure_ms / 5) {
    first_reading = take_reading(pid_count, pids);
    counted_from = received;
  } else if (counted_from > 0 && now_ms() - first_reading.at_ms >= measure_ms) {
    print_report(first_reading, take_reading(pid_count, pids), received - counted_from, block_bytes);
    exit(0);
  }
}

static void subscribed(struct mosquitto *client, void *unused, int id, int count, const int *granted) {
  (void)unused;
  (void)id;
  (void)count;
  (void)granted;
  if (is_publisher) {
    puts("ready");
    fflush(stdout);
    return;
  }
  began_ms = now_ms();
  for (int i = 0; i < requests; i++) ask_next(client);
}

int main(int argc, char **argv) {
  if (argc < 5) fail("too few arguments");
  is_publisher = strcmp(argv[1], "publish") == 0;
  source = load_source(argv[3]);
  block_bytes = atol(argv[4]);
  file_blocks = source.size / block_bytes;
  if (!is_publisher) {
    if (argc < 8) fail("too few arguments");
    request_blocks = atoi(argv[5]);
    requests = atoi(argv[6]);
    measure_ms = atof(argv[7]);
    pid_count = argc - 8;
    pids = argv + 8;
  }
  mosquitto_lib_init();
  struct mosquitto *client = mosquitto_new(is_publisher ? "publisher" : "bench", true, NULL);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_message_callback_set(client, is_publisher ? answer : take_block);
  mosquitto_subscribe_callback_set(client, subscribed);
  if (mosquitto_connect(client, "127.0.0.1", atoi(argv[2]), 60)) fail("connect");
  mosquitto_subscribe(client, NULL, is_publisher ? GET_TOPIC : DATA_TOPIC, 0);
  mosquitto_loop_forever(client, -1, 1);
  fail("the connection ended");
}
