// A loop, an observer and blocking calls around an EventLog, for tests of any implementation.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "storage/event_log.h"

namespace tokenrelay::storage {

// The owner's loop: calls from any thread, run by whoever waits.
class TestLoop {
 public:
  std::function<void(std::function<void()>)> poster() {
    return [this](std::function<void()> call) {
      std::lock_guard lock(mutex_);
      calls_.push_back(std::move(call));
      ready_.notify_one();
    };
  }

  // False: `done` did not come true in time.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds within = std::chrono::seconds(30)) {
    const auto deadline = std::chrono::steady_clock::now() + within;
    while (!done()) {
      std::function<void()> call;
      {
        std::unique_lock lock(mutex_);
        if (calls_.empty()) {
          if (std::chrono::steady_clock::now() >= deadline) return false;
          ready_.wait_for(lock, std::chrono::milliseconds(5));
        }
        if (calls_.empty()) continue;
        call = std::move(calls_.front());
        calls_.pop_front();
      }
      call();
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> calls_;
};

struct Event {
  Seq seq;
  EventKind kind;
  std::string payload;
  bool operator==(const Event&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Event& e) {
  return out << e.seq << ":" << static_cast<int>(e.kind) << ":" << e.payload.substr(0, 40);
}

// It throws at whatever no log may do. Derive, open the log into log_ with loop_.poster() and *this, and say how to
// open it again.
class LogHarness : public Observer {
 public:
  virtual void reopen() = 0;  // as a restart does: what was durable is there, what was unfinished is interrupted

  void on_durable(std::span<const Durable> streams, int64_t) override {
    ++commits_;
    if (!states_.empty() && states_.back() == LogState::failed) throw std::logic_error("durable after the log failed");
    for (const auto& d : streams) {
      if (d.seq <= durable_[d.key]) throw std::logic_error("durable went backwards");
      durable_[d.key] = d.seq;
    }
  }
  void on_log_state() override { states_.push_back(log_->status().state); }

  EventLog& log() { return *log_; }
  TestLoop& loop() { return loop_; }
  Seq durable(StreamKey key) { return durable_[key]; }
  size_t commits() const { return commits_; }
  const std::vector<LogState>& states() const { return states_; }

  bool wait_durable(StreamKey key, Seq seq) {
    return loop_.run_until([&] { return durable_[key] >= seq; });
  }

  template <typename T>
  Result<T> wait(const std::function<void(Completion<T>)>& call) {
    auto answer = std::make_shared<std::optional<Result<T>>>();
    call([answer](Result<T> r) {
      if (answer->has_value()) throw std::logic_error("a completion was called twice");
      answer->emplace(std::move(r));
    });
    if (answer->has_value()) throw std::logic_error("a completion was called before its call returned");
    if (!loop_.run_until([&] { return answer->has_value(); })) throw std::runtime_error("no completion in time");
    return std::move(**answer);
  }

  static NewStream stream(const std::string& id) {
    NewStream s;
    s.stream_id = id;
    s.model = "m";
    s.provider = "demo";
    s.created_ms = 1000;
    s.start = "{\"start\":\"" + id + "\"}";
    return s;
  }
  Result<Created> create(NewStream s) {
    return wait<Created>([&](auto done) { log_->create(std::move(s), std::move(done)); });
  }
  StreamKey make(const std::string& id) { return create(stream(id)).value().key; }
  void text(StreamKey key, Seq seq, const std::string& payload) {
    EventView e{EventKind::text, payload};
    log_->append(key, seq, {&e, 1});
  }
  void finish(StreamKey key, Seq seq, int64_t at_ms = 2000, const std::string& status = "completed") {
    log_->finish(key, seq, {status, "{\"status\":\"" + status + "\"}", at_ms});
    if (!wait_durable(key, seq)) throw std::runtime_error("the terminal event did not become durable");
  }
  Result<StreamRow> find(const std::string& id) {
    return wait<StreamRow>([&](auto done) { log_->find(id, std::move(done)); });
  }
  Result<StreamRow> find_run(const std::string& token) {
    return wait<StreamRow>([&](auto done) { log_->find_run(token, std::move(done)); });
  }
  Result<Page> list(const std::string& owner, std::optional<StreamKey> before, size_t limit, size_t bytes = SIZE_MAX) {
    return wait<Page>([&](auto done) { log_->list(owner, before, {limit, bytes}, std::move(done)); });
  }
  Result<std::string> request(StreamKey key) {
    return wait<std::string>([&](auto done) { log_->request(key, std::move(done)); });
  }
  Result<bool> remove(const std::string& id, int64_t now_ms) {
    return wait<bool>([&](auto done) { log_->remove(id, now_ms, std::move(done)); });
  }
  Result<std::vector<StreamRow>> expired(int64_t before_ms, uint64_t max_bytes, size_t limit) {
    return wait<std::vector<StreamRow>>(
        [&](auto done) { log_->expired(before_ms, max_bytes, limit, std::move(done)); });
  }
  Result<std::shared_ptr<const Block>> read(StreamKey key, Seq after, size_t max_bytes) {
    return wait<std::shared_ptr<const Block>>([&](auto done) { log_->read(key, after, max_bytes, std::move(done)); });
  }

  // Every event after `after`, in blocks of about max_bytes. Throws where the blocks do not join.
  std::vector<Event> events(StreamKey key, Seq after = 0, size_t max_bytes = 64 << 10) {
    std::vector<Event> all;
    for (;;) {
      auto got = read(key, after, max_bytes);
      if (!got) throw std::runtime_error("read: " + got.error().message);
      const auto block = std::move(*got);
      if (block->entries.empty()) return all;
      for (const auto& e : block->entries) {
        if (e.seq != ++after) throw std::runtime_error("a gap in what was read");
        all.push_back({e.seq, e.kind, std::string(block->payload(e))});
      }
    }
  }

 protected:
  TestLoop loop_;
  std::unique_ptr<EventLog> log_;

 private:
  std::map<StreamKey, Seq> durable_;
  size_t commits_ = 0;
  std::vector<LogState> states_;
};

}  // namespace tokenrelay::storage
