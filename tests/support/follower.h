// Follower: a faithful client on a thread of its own. It follows one stream to its `done`, comes back with the id of
// the last event it got whenever the connection ends (or is refused), and keeps every event with its arrival time.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/sse_connection.h"
#include "tests/support/transcript.h"

namespace tokenrelay::support {

class Follower {
 public:
  struct Options {
    uint16_t port = 0;
    std::string stream_id = {};
    std::string query = {};  // e.g. coalesce=0
    milliseconds reconnect_after = 20ms;
    bool reconnect = true;
  };
  explicit Follower(Options options);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  void stop();  // drops the connection and joins
  std::vector<SseEvent> events() const;
  Transcript transcript() const { return transcript_of(events()); }
  std::vector<std::string> problems() const;
  std::vector<int> statuses() const;  // every status met, in order; 0 for a refused or headless connection
  std::vector<BodyEnd> ends() const;
  bool finished() const { return finished_; }  // done came, and a clean end
  bool wait_finished(Deadline deadline) const;
  bool wait_text(size_t bytes, Deadline deadline) const;  // at least so many bytes of text

 private:
  void run();
  void one_connection(int number);

  Options options_;
  mutable std::mutex mutex_;
  std::vector<SseEvent> events_;
  std::vector<std::string> problems_;
  std::vector<int> statuses_;
  std::vector<BodyEnd> ends_;
  std::string cursor_;
  std::atomic<bool> stopping_{false}, finished_{false};
  std::atomic<size_t> text_bytes_{0};
  std::thread thread_;
};

}  // namespace tokenrelay::support
