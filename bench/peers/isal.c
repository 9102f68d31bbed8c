/* The peer of bench/erasure-*.ts: Intel ISA-L's AVX2 coder, one thread. Answers lines "k n rows bytes milliseconds" with GB/s of data. */
#include <isa-l.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

/* As in bench/support/interleave.ts: the rate of the fastest batch, which other processes disturbed least. */
#define BATCH_SECONDS 2e-3

static double measure(int k, int n, int rows, int bytes, double limit) {
  unsigned char *matrix = malloc(n * k), *tables = malloc(32 * k * n);
  unsigned char *from[256], *to[256];
  for (int i = 0; i < n; i++) {
    unsigned char *cell = aligned_alloc(64, bytes);
    for (int b = 0; b < bytes; b++) cell[b] = rand();
    if (i < k) from[i] = cell;
    else to[i - k] = cell;
  }
  /* Decoding costs what encoding costs with as many rows: the matrix has no zeros in either. */
  for (int i = n - k; i < rows; i++) to[i] = aligned_alloc(64, bytes);
  gf_gen_cauchy1_matrix(matrix, n, k);
  ec_init_tables(k, rows, matrix + k * k, tables);
  double start = seconds(), spent, fastest = 0;
  do {
    double batch = seconds();
    long runs = 0;
    do {
      ec_encode_data_avx2(bytes, k, rows, tables, from, to);
      runs++;
      spent = seconds() - batch;
    } while (spent < BATCH_SECONDS);
    double rate = (double)runs * k * bytes / spent / 1e9;
    if (rate > fastest) fastest = rate;
  } while (seconds() - start < limit);
  for (int i = 0; i < k; i++) free(from[i]);
  for (int i = 0; i < (rows > n - k ? rows : n - k); i++) free(to[i]);
  free(matrix);
  free(tables);
  return fastest;
}

int main(void) {
  int k, n, rows, bytes, ms;
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (scanf("%d %d %d %d %d", &k, &n, &rows, &bytes, &ms) == 5) printf("%f\n", measure(k, n, rows, bytes, ms / 1e3));
  return 0;
}
