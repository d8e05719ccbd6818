// A file whose blocks are given back to a full disk, so that terminal events can still be written. Writer thread.
#pragma once

#include <cstdint>
#include <string>

namespace tokenrelay::storage {

class ReserveFile {
 public:
  ReserveFile(std::string path, uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}

  void hold();     // takes the blocks, if the disk has four times as much to spare; else stays without
  bool release();  // gives them back; true if there were any
  void yield();    // gives back what an earlier process held, if the disk has less than that to spare
  bool held() const { return held_; }

 private:
  std::string path_;
  uint64_t bytes_;
  bool held_ = false;
};

}  // namespace tokenrelay::storage
