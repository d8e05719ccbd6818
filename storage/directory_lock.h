// The data directory belongs to one process. The lock is flock(2) on a file in it. It ends with the process, however
// that dies, so a stale pid in the file locks nobody out.
#pragma once

#include <string>

#include "storage/result.h"

namespace tokenrelay::storage {

class DirectoryLock {
 public:
  // Locks an existing directory (claim_directory()). Errc::locked names the holder's pid.
  static Result<DirectoryLock> take(const std::string& directory);

  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace tokenrelay::storage
