// LogOutput: the sink of spdlog's default logger: standard error, written by a separate thread. A pipe that nobody
// reads, or a disk that hangs, stops only that thread.
//
// Promise: logging never waits for the other end. When the buffer is full, lines are dropped and counted; when there is
// room again a line says how many.
// Bound: pending_bytes_max of waiting lines.
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

  // json: the form of the line about dropped lines; set_formatter() has that of the others.
  explicit LogOutput(int descriptor, bool json = false);
  ~LogOutput() override;

  uint64_t dropped() const;       // lines, so far
  void drain(int64_t within_ms);  // waits until all is written, or the time is over; for the end of the process

 private:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override { drain(flush_ms); }
  static constexpr int64_t flush_ms = 200;

  struct State;
  const std::shared_ptr<State> state_;  // with the thread
};

}  // namespace tokenrelay
