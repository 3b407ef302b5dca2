#define _GNU_SOURCE
#include "CFaultVFS.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Undo {
    struct Undo *before;
    char *path;
    sqlite3_int64 offset, size; /* the file's size before the write */
    int count;
    unsigned char bytes[];
} Undo;

typedef struct {
    sqlite3_file base;
    char *path; /* NULL for temporary files, which no loss of power matters to */
    sqlite3_file *real;
} File;

static sqlite3_vfs *real_vfs;
static long calls, failing;
static int failure, stays;
static Undo *undo;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static int struck(void) {
    pthread_mutex_lock(&guard);
    calls++;
    int strikes = failing && (calls == failing || (stays && calls > failing));
    pthread_mutex_unlock(&guard);
    return strikes ? failure : SQLITE_OK;
}

#define STRIKE() do { int code_ = struck(); if (code_) return code_; } while (0)
#define REAL(file) (((File *)(file))->real)

/* Remembers what a write of count bytes at offset is about to change. */
static void remember(File *file, sqlite3_int64 offset, int count) {
    if (!file->path) return;
    Undo *entry = calloc(1, sizeof *entry + (size_t)count);
    entry->path = strdup(file->path);
    entry->offset = offset;
    entry->count = count;
    file->real->pMethods->xFileSize(file->real, &entry->size);
    if (count) file->real->pMethods->xRead(file->real, entry->bytes, count, offset);
    pthread_mutex_lock(&guard);
    entry->before = undo;
    undo = entry;
    pthread_mutex_unlock(&guard);
}

static void forget(const char *path) {
    pthread_mutex_lock(&guard);
    for (Undo **link = &undo; *link;) {
        Undo *entry = *link;
        if (path && strcmp(entry->path, path)) { link = &entry->before; continue; }
        *link = entry->before;
        free(entry->path);
        free(entry);
    }
    pthread_mutex_unlock(&guard);
}

static int file_close(sqlite3_file *f) {
    File *file = (File *)f;
    int code = file->real->pMethods ? file->real->pMethods->xClose(file->real) : SQLITE_OK;
    free(file->real);
    free(file->path);
    return code;
}
static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at) {
    STRIKE();
    return REAL(f)->pMethods->xRead(REAL(f), to, n, at);
}
static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at) {
    STRIKE();
    remember((File *)f, at, n);
    return REAL(f)->pMethods->xWrite(REAL(f), from, n, at);
}
static int file_truncate(sqlite3_file *f, sqlite3_int64 size) {
    STRIKE();
    sqlite3_int64 now = 0;
    REAL(f)->pMethods->xFileSize(REAL(f), &now);
    if (now > size) remember((File *)f, size, (int)(now - size));
    return REAL(f)->pMethods->xTruncate(REAL(f), size);
}
/* What is synced survives fault_vfs_lose_power, the only loss of power here: nothing needs to wait for the real disk. */
static int file_sync(sqlite3_file *f, int flags) {
    STRIKE();
    if (((File *)f)->path) forget(((File *)f)->path);
    return SQLITE_OK;
}
static int file_size(sqlite3_file *f, sqlite3_int64 *size) {
    STRIKE();
    return REAL(f)->pMethods->xFileSize(REAL(f), size);
}
static int file_lock(sqlite3_file *f, int level) {
    STRIKE();
    return REAL(f)->pMethods->xLock(REAL(f), level);
}
static int file_unlock(sqlite3_file *f, int level) { return REAL(f)->pMethods->xUnlock(REAL(f), level); }
static int file_reserved(sqlite3_file *f, int *out) { return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out); }
static int file_control(sqlite3_file *f, int op, void *arg) { return REAL(f)->pMethods->xFileControl(REAL(f), op, arg); }
static int file_sector(sqlite3_file *f) { return REAL(f)->pMethods->xSectorSize(REAL(f)); }
static int file_traits(sqlite3_file *f) { return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f)); }
static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
    STRIKE();
    return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, out);
}
static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
    if (flags & SQLITE_SHM_LOCK) STRIKE();
    return REAL(f)->pMethods->xShmLock(REAL(f), offset, n, flags);
}
static void file_shm_barrier(sqlite3_file *f) { REAL(f)->pMethods->xShmBarrier(REAL(f)); }
static int file_shm_unmap(sqlite3_file *f, int remove) { return REAL(f)->pMethods->xShmUnmap(REAL(f), remove); }

static const sqlite3_io_methods methods = {
    .iVersion = 2, .xClose = file_close, .xRead = file_read, .xWrite = file_write, .xTruncate = file_truncate,
    .xSync = file_sync, .xFileSize = file_size, .xLock = file_lock, .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved, .xFileControl = file_control, .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits, .xShmMap = file_shm_map, .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier, .xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out) {
    File *file = (File *)f;
    f->pMethods = NULL;
    STRIKE();
    file->real = calloc(1, (size_t)real_vfs->szOsFile);
    file->path = name ? strdup(name) : NULL;
    int code = real_vfs->xOpen(real_vfs, name, file->real, flags, out);
    if (code != SQLITE_OK) {
        free(file->real);
        free(file->path);
        return code;
    }
    f->pMethods = &methods;
    return SQLITE_OK;
}
static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    STRIKE();
    forget(name);
    return real_vfs->xDelete(real_vfs, name, 0);
}

int fault_vfs_register(void) {
    static sqlite3_vfs vfs;
    if (real_vfs) return SQLITE_OK;
    real_vfs = sqlite3_vfs_find(NULL);
    if (!real_vfs) return SQLITE_ERROR;
    vfs = *real_vfs;
    vfs.szOsFile = sizeof(File);
    vfs.zName = "faulty";
    vfs.pNext = NULL;
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    return sqlite3_vfs_register(&vfs, 0);
}

void fault_vfs_arm(long nth, int code, int sticky) {
    pthread_mutex_lock(&guard);
    calls = 0;
    failing = nth;
    failure = code;
    stays = sticky;
    pthread_mutex_unlock(&guard);
}

long fault_vfs_calls(void) { return calls; }

void fault_vfs_lose_power(void) {
    for (Undo *entry = undo; entry; entry = entry->before) {
        int descriptor = open(entry->path, O_WRONLY | O_CLOEXEC);
        if (descriptor < 0) continue;
        sqlite3_int64 kept = entry->size - entry->offset;
        if (kept > entry->count) kept = entry->count;
        if (kept > 0 && pwrite(descriptor, entry->bytes, (size_t)kept, entry->offset) < 0) abort();
        if (ftruncate(descriptor, entry->size) < 0) abort();
        close(descriptor);
    }
    forget(NULL);
}

void fault_vfs_keep_writes(void) { forget(NULL); }
