// A file whose blocks are given back to a full disk, so that terminal events can still be written. Writer thread.
#pragma once

#include <cstdint>
#include <string>

namespace tokenrelay::storage {

class ReserveFile {
 public:
  ReserveFile(std::string path, uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}

  void hold();     // takes the blocks if the disk has four times as much free space
  bool release();  // gives them back; true if there were any
  void yield();    // gives back the blocks of an earlier process if the disk has less than that free
  bool held() const { return held_; }

 private:
  std::string path_;
  uint64_t bytes_;
  bool held_ = false;
};

}  // namespace tokenrelay::storage
