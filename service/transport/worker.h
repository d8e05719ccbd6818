// Worker: a few threads for what would hold the loop: parsing and building of large JSON, files.
//
//   worker.run([job] { job->result = parse(job->text); }, [job] { answer(job->result); });
//
// `work` runs on a thread, then `then` on the loop. Both own what they use; what they only refer to must live until
// stop(). Work begins in the order in which it was handed over.
//
// Threads: run() and stop() on the loop's. They are started by the first run(), and yield to the loop's thread
// (nice 10), so that a machine with few cores goes on streaming. Bounds: two threads; what waits is bounded by the
// callers, of which each connection and each stream hands over one piece at a time.
// End: stop() waits for the work under way and drops what has not begun, whose `then` is destroyed uncalled.
#pragma once

#include <functional>
#include <memory>

namespace tokenrelay::transport {

class Loop;

class Worker {
 public:
  static constexpr unsigned threads_max = 2;
  // Less than this is done faster on the loop than handed over: about a millisecond of parsing.
  static constexpr size_t worth_bytes = 64 << 10;

  explicit Worker(Loop& loop);
  ~Worker();
  Worker(const Worker&) = delete;

  void run(std::function<void()> work, std::function<void()> then);
  // At once and here if there is little to do, else as run() does.
  void run_if_large(size_t bytes, std::function<void()> work, std::function<void()> then);
  void stop();

 private:
  struct State;
  Loop& loop_;
  const std::unique_ptr<State> state_;
};

}  // namespace tokenrelay::transport
