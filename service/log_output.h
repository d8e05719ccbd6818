// LogOutput: where the lines of spdlog's default logger go: standard error, written by a thread of its own. A pipe that
// nobody reads, or a disk that hangs, stops that thread and nothing else.
//
// Promise: logging never waits for the other end. Lines that find no room in the buffer are dropped and counted; when
// there is room again a line says how many.
// Bound: pending_bytes_max of lines that wait.
// Threads: any. Ownership: spdlog's loggers share it; its thread outlives it if the other end hangs.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <cstdint>
#include <memory>
#include <mutex>

namespace tokenrelay {

class LogOutput final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  static constexpr size_t pending_bytes_max = 1 << 20;

  explicit LogOutput(int descriptor);
  ~LogOutput() override;

  uint64_t dropped() const;       // lines, so far
  void drain(int64_t within_ms);  // until all is written, or the time is over: at the end of the process

 private:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override { drain(flush_ms); }
  static constexpr int64_t flush_ms = 200;

  struct State;
  const std::shared_ptr<State> state_;  // with the thread
};

}  // namespace tokenrelay
