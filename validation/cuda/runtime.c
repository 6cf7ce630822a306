/* A grid of CUDA threads as POSIX threads: one block after the other, a thread each, bar.sync as a barrier.

   Usage: program FILE GRID_X BLOCK_X BLOCK_Y SHARED SKIP. FILE holds the kernel's parameters, as (size, value) if size is 0
   and as (size, bytes) if the parameter points to an array; the arrays are written back. A block has SHARED bytes of
   dynamic shared memory. Barrier number SKIP of the PTX is left out, none if it is -1. The translated kernel
   is put in place of the line KERNEL. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t tid[3], ctaid[3], ntid[3], nctaid[3];
    char **shared;            /* the block's shared variables, one allocation each; all dynamic ones are one */
    char *dynamic;            /* this one */
    uint32_t dynamic_smem_size;
    const uint64_t *parameters;
    pthread_barrier_t *barriers; /* two, taken in turn: see barrier() */
    int phase, skip;
} Context;

/* Registers are 64 bits wide, of no type; an instruction reads and writes them as what its suffix says. */
#define WHOLE(name, type, bits_type) \
    static inline type as_##name(uint64_t r) { return (type)r; } \
    static inline uint64_t from_##name(type v) { return (uint64_t)(bits_type)v; }
WHOLE(u8, uint8_t, uint8_t) WHOLE(u16, uint16_t, uint16_t) WHOLE(u32, uint32_t, uint32_t) WHOLE(u64, uint64_t, uint64_t)
WHOLE(b8, uint8_t, uint8_t) WHOLE(b16, uint16_t, uint16_t) WHOLE(b32, uint32_t, uint32_t) WHOLE(b64, uint64_t, uint64_t)
WHOLE(s8, int8_t, uint8_t) WHOLE(s16, int16_t, uint16_t) WHOLE(s32, int32_t, uint32_t) WHOLE(s64, int64_t, uint64_t)
WHOLE(pred, int, uint8_t)
#define REAL(name, type, bits_type) \
    static inline type as_##name(uint64_t r) { bits_type b = r; type v; memcpy(&v, &b, sizeof v); return v; } \
    static inline uint64_t from_##name(type v) { bits_type b; memcpy(&b, &v, sizeof b); return b; }
REAL(f32, float, uint32_t) REAL(f64, double, uint64_t)

/* With a single barrier, a thread that wakes late would, to ThreadSanitizer, wait for those that have already come to
   the next one as well, and races between the two would be hidden. */
static inline void barrier(Context *c, int number) {
    if (number != c->skip) pthread_barrier_wait(&c->barriers[c->phase ^= 1]);
}

/* With -DTRACE every access to dynamic shared memory is written to FILE.trace, as four words: thread, instruction, how
   often the thread came by before, and byte. That is of use for one block. */
#ifdef TRACE
static FILE *trace;
static _Thread_local uint32_t passes[1 << 16]; /* by instruction */
#define TOUCH(c, number, bytes, name, pointer) touch(c, number, (char *)(pointer))
static void touch(Context *c, uint32_t number, const char *address) {
    uint32_t own = c->tid[0] + c->ntid[0] * c->tid[1], byte = address - c->dynamic;
    fwrite((uint32_t[]){own, number, passes[number]++, byte}, 16, 1, trace); /* stdio locks */
}
#else
#define TOUCH(c, number, bytes, name, pointer)
#endif

KERNEL

/* Aligned, and not a byte more than asked for, so that AddressSanitizer sees an access beyond the end. */
static void *exactly(size_t size) {
    void *memory;
    if (posix_memalign(&memory, 64, size)) { perror("posix_memalign"); exit(1); }
    return memory;
}

static void *thread(void *context) { kernel(context); return NULL; }

static void run_block(uint32_t block, uint32_t grid, uint32_t nx, uint32_t ny, const uint64_t *parameters,
                      uint32_t dynamic, int skip) {
    uint32_t n = nx * ny;
    pthread_t *threads = malloc(n * sizeof *threads);
    Context *contexts = malloc(n * sizeof *contexts);
    char **shared = malloc((SHARED_COUNT + 1) * sizeof *shared);
    pthread_barrier_t wait[2];
    for (int i = 0; i < 2; i++) pthread_barrier_init(&wait[i], NULL, n);
    for (int i = 0; i <= SHARED_COUNT; i++) { /* what is in it before the kernel writes is arbitrary */
        size_t size = i < SHARED_COUNT ? SHARED_SIZES[i] : dynamic;
        shared[i] = exactly(size);
        memset(shared[i], 0xA5, size);
    }
    for (uint32_t i = 0; i < n; i++) {
        contexts[i] = (Context){.tid = {i % nx, i / nx, 0}, .ctaid = {block, 0, 0}, .ntid = {nx, ny, 1},
                                .nctaid = {grid, 1, 1}, .shared = shared,
                                .dynamic = shared[SHARED_COUNT], .dynamic_smem_size = dynamic, .parameters = parameters,
                                .barriers = wait, .skip = skip};
        if (pthread_create(&threads[i], NULL, thread, &contexts[i])) { perror("pthread_create"); exit(1); }
    }
    for (uint32_t i = 0; i < n; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i <= SHARED_COUNT; i++) free(shared[i]);
    for (int i = 0; i < 2; i++) pthread_barrier_destroy(&wait[i]);
    free(shared); free(contexts); free(threads);
}

int main(int argc, char **argv) {
    uint64_t sizes[PARAMETERS], values[PARAMETERS];
    FILE *file = argc == 7 ? fopen(argv[1], "r+b") : NULL;
    if (!file) { fprintf(stderr, "cannot read the parameters\n"); return 2; }
    for (int i = 0; i < PARAMETERS; i++) {
        if (fread(&sizes[i], 8, 1, file) != 1) return 2;
        void *target = sizes[i] ? exactly(sizes[i]) : (void *)&values[i];
        if (sizes[i]) values[i] = (uint64_t)target;
        if (fread(target, sizes[i] ? sizes[i] : 8, 1, file) != 1) return 2;
    }
#ifdef TRACE
    char name[4096];
    snprintf(name, sizeof name, "%s.trace", argv[1]);
    if (!(trace = fopen(name, "wb"))) return 2;
#endif
    uint32_t grid = atoi(argv[2]);
    for (uint32_t b = 0; b < grid; b++)
        run_block(b, grid, atoi(argv[3]), atoi(argv[4]), values, atoi(argv[5]), atoi(argv[6]));
#ifdef TRACE
    if (fclose(trace)) return 2;
#endif
    rewind(file);
    for (int i = 0; i < PARAMETERS; i++) {
        fwrite(&sizes[i], 8, 1, file);
        fwrite(sizes[i] ? (void *)values[i] : (void *)&values[i], sizes[i] ? sizes[i] : 8, 1, file);
        if (sizes[i]) free((void *)values[i]);
    }
    return fclose(file) ? 2 : 0;
}
