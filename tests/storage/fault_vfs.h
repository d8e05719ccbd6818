// SQLite's default VFS with a disk that can be made to fail: syncs that fail or take long, a disk without room.
// Test code; one per process, registered on first use under fault_vfs_name.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <thread>

namespace tokenrelay::storage {

inline constexpr const char* fault_vfs_name = "faults";

struct Faults {
  std::atomic<bool> fail_sync{false};
  std::atomic<bool> full{false};
  std::atomic<int> sync_delay_ms{0};
  std::atomic<int> syncs{0};

  void clear() { fail_sync = false, full = false, sync_delay_ms = 0; }
};

inline Faults& faults() {
  static Faults f;
  return f;
}

namespace fault_vfs {

struct File {
  sqlite3_file base;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

inline sqlite3_file* real(sqlite3_file* f) {
  return reinterpret_cast<File*>(f)->real();
}
inline sqlite3_vfs* below() {
  return sqlite3_vfs_find("unix");
}

inline int close(sqlite3_file* f) {
  return real(f)->pMethods->xClose(real(f));
}
inline int read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), to, n, at);
}
inline int write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (faults().full) return SQLITE_FULL;
  return real(f)->pMethods->xWrite(real(f), from, n, at);
}
inline int truncate(sqlite3_file* f, sqlite3_int64 size) {
  return real(f)->pMethods->xTruncate(real(f), size);
}
inline int sync(sqlite3_file* f, int flags) {
  ++faults().syncs;
  for (int slept = 0; slept < faults().sync_delay_ms; slept += 5)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  if (faults().fail_sync) return SQLITE_IOERR_FSYNC;
  return real(f)->pMethods->xSync(real(f), flags);
}
inline int file_size(sqlite3_file* f, sqlite3_int64* size) {
  return real(f)->pMethods->xFileSize(real(f), size);
}
inline int lock(sqlite3_file* f, int level) {
  return real(f)->pMethods->xLock(real(f), level);
}
inline int unlock(sqlite3_file* f, int level) {
  return real(f)->pMethods->xUnlock(real(f), level);
}
inline int check_lock(sqlite3_file* f, int* out) {
  return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
inline int control(sqlite3_file* f, int op, void* arg) {
  return real(f)->pMethods->xFileControl(real(f), op, arg);
}
inline int sector(sqlite3_file* f) {
  return real(f)->pMethods->xSectorSize(real(f));
}
inline int device(sqlite3_file* f) {
  return real(f)->pMethods->xDeviceCharacteristics(real(f));
}
inline int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}
inline int shm_lock(sqlite3_file* f, int at, int n, int flags) {
  return real(f)->pMethods->xShmLock(real(f), at, n, flags);
}
inline void shm_barrier(sqlite3_file* f) {
  real(f)->pMethods->xShmBarrier(real(f));
}
inline int shm_unmap(sqlite3_file* f, int remove) {
  return real(f)->pMethods->xShmUnmap(real(f), remove);
}

inline const sqlite3_io_methods methods = {2,        close,       read,       write,   truncate, sync,   file_size,
                                           lock,     unlock,      check_lock, control, sector,   device, shm_map,
                                           shm_lock, shm_barrier, shm_unmap,  nullptr, nullptr};

inline int open(sqlite3_vfs*, const char* name, sqlite3_file* f, int flags, int* out) {
  f->pMethods = nullptr;
  std::memset(static_cast<void*>(real(f)), 0, static_cast<size_t>(below()->szOsFile));
  int rc = below()->xOpen(below(), name, real(f), flags, out);
  if (real(f)->pMethods) f->pMethods = &methods;
  return rc;
}

}  // namespace fault_vfs

// To be called before a log is opened with options.vfs = fault_vfs_name.
inline void register_fault_vfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs v = *fault_vfs::below();
    v.zName = fault_vfs_name;
    v.szOsFile += static_cast<int>(sizeof(fault_vfs::File));
    v.xOpen = fault_vfs::open;
    v.pNext = nullptr;
    return v;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  if (registered != SQLITE_OK) throw std::bad_alloc();
  faults().clear();
}

}  // namespace tokenrelay::storage
