// Generation: one call of the upstream model for a stream: the wait for a slot, the retries, the fallbacks, the end.
//
// It turns the upstream's output into events and hands them to its owner, the stream. A failed try is repeated, or
// passed to the next fallback, only before the first delta is appended; each of these is shown by an `upstream` event.
// It holds at most one slot, at the upstream it calls. It ends with exactly one on_generation_end, or with close(),
// whichever comes first; afterwards it is silent. Threads: the stream's shard.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/relay/attempts.h"
#include "service/relay/context.h"
#include "service/relay/continuation.h"
#include "service/relay/models.h"
#include "service/relay/options.h"
#include "service/relay/usage.h"
#include "service/transport/lifeline.h"
#include "service/upstream/upstream.h"
#include "storage/event.h"

namespace tokenrelay::relay {

class Generation final : private upstream::CallHandler, private Slots::Waiter {
 public:
  class Owner {
   public:
    // False: this ended the stream (too long); return without touching anything.
    virtual bool append(storage::EventKind kind, std::string_view payload) = 0;
    virtual void on_generation_started() = 0;  // it has its first slot: queued becomes streaming
    virtual void on_generation_headers(const std::shared_ptr<const upstream::AnswerHeaders>&) {
    }                                         // of the last response
    virtual void on_generation_answered() {}  // the upstream has accepted the request: its answer begins
    // From now on another process could continue the answer; token "": no longer.
    virtual void on_generation_resumable(const std::string& /*upstream*/, const std::string& /*token*/,
                                         uint32_t /*attempt*/) {}
    // The request once more, for the upstream of `route`: a retry or a fallback after it was let go. Nullopt: it cannot
    // be read. `then` is called once, later or at once; a closed generation ignores it.
    virtual void prepare_again(const Route& route, std::function<void(std::optional<upstream::Prepared>)> then) = 0;
    virtual void on_generation_end(upstream::Outcome outcome) = 0;

   protected:
    ~Owner() = default;
  };

  Generation(Context& context, std::shared_ptr<const Options> options, Route route, std::string request_id,
             uint64_t prompt_bytes, uint64_t first_tool_index, Owner& owner);
  ~Generation();

  // The provider's own events go into the log, too: of a stream's first generation, whose answer they tell whole.
  void tell_own() { tells_own_ = true; }
  void begin(upstream::PreparedPtr request);  // which is let go once the upstream has accepted it
  // Instead of a new call: continues the answer that `from` identifies, of which `said` is durable.
  void take_up(const Continuation& from, Progress said);
  // The upstream's connection is closed when this returns. `keep`: an answer that another process can resume goes on.
  enum class Answer { cancel, keep };
  void close(Answer what = Answer::cancel);
  void pause();
  void resume();
  bool running() const { return call_ != nullptr; }
  bool answered() const { return answered_; }
  void add_usage(UsageTotal& total, const upstream::Usage& said) const;  // this generation's tokens, as far as known
  uint64_t tool_calls() const { return tools_.size(); }
  bool has_said() const { return last_delta_us_ != 0; }

 private:
  void on_slot() override;
  void on_text(std::string_view delta) override;
  void on_reasoning(std::string_view delta) override;
  void on_tool_call(int index, std::string_view id, std::string_view name, std::string_view arguments) override;
  uint64_t told_bytes() const override { return output_bytes_ + output_own_bytes_; }
  void on_first_byte() override;
  void on_headers(const std::shared_ptr<const upstream::AnswerHeaders>& headers) override {
    owner_.on_generation_headers(headers);
  }
  void on_opaque(std::string_view object) override;
  bool wants_own() const override { return tells_own_; }
  void on_own(std::string_view entry, bool shows) override;
  void on_resumable(std::string_view token) override;
  void on_seam(std::string_view reason) override;
  void on_end(upstream::Outcome outcome) override;

  void take_slot();
  void leave_slot();
  void on_timer();
  void start_call();
  void call();
  void hold(upstream::PreparedPtr request);
  void let_go();
  void fail(upstream::ErrorCode code, std::string message);
  bool try_again(const upstream::Error& failure);
  bool fall_back(upstream::Outcome& outcome);
  void ask_fallback();
  void on_prepared_fallback(std::optional<upstream::Prepared> prepared);
  bool append_seam(std::string_view reason);
  bool has_call(std::string_view id, size_t except) const;
  std::string draw_call_id() const;
  void forget_own();
  void forget_token();
  std::string_view unsaid(uint64_t& known, std::string_view delta);
  bool append_split(storage::EventKind kind, std::string_view delta);
  bool append_own(std::string_view entry);
  bool release_own();
  void note_first();
  void note_delta(storage::EventKind kind, size_t bytes);
  void note_tokens(const upstream::Usage& said) const;

  Context& context_;
  Owner& owner_;
  std::shared_ptr<const Options> options_;
  int64_t last_delta_us_ = 0, first_call_us_ = 0;
  uint64_t output_bytes_ = 0, output_own_bytes_ = 0;
  Progress known_;  // what a resumed answer will send again
  const uint64_t prompt_bytes_, first_tool_index_;

  std::unique_ptr<upstream::Call> call_;
  transport::Timer timer_;  // waiting for a slot, or for the next try
  enum class State { idle, preparing, queued, calling, backing_off, closed } state_ = State::idle;
  bool has_slot_ = false, answered_ = false, paused_ = false;
  Attempts attempts_;
  const std::string request_id_;
  upstream::PreparedPtr request_;                   // null once the upstream has accepted it: it may be large
  upstream::Outcome last_outcome_;                  // while fallbacks are asked for
  transport::Alive alive_;                          // until it is closed
  std::shared_ptr<Upstream> upstream_;              // whose slot it has, or waits for
  metrics::ModelMetrics* model_metrics_ = nullptr;  // of the upstream in use; from the first slot on
  std::string_view outcome_;                        // of the last call, for the metrics
  bool tells_own_ = false;
  std::vector<std::string> held_own_;  // until something is said: another try begins without them
  size_t held_own_bytes_ = 0;
  std::string token_;                                       // of an answer that can be resumed
  std::vector<std::pair<std::string, std::string>> tools_;  // id and name of each tool call so far
};

}  // namespace tokenrelay::relay
