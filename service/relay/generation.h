// Generation: one call of the upstream model for a stream, with its wait for a place, its retries, its fallbacks and
// its end.
//
// It turns what the upstream says into events and hands them to its owner, the stream; a failed try is repeated, or
// goes to the next fallback, only before the first delta was appended, and each of these shows as an `upstream` event.
// It holds at most one place, at the upstream that it asks. It ends by exactly one on_generation_end, or by close(),
// whichever comes first; afterwards it is silent. Threads: the stream's shard.
#pragma once

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
#include "service/upstream/upstream.h"
#include "storage/event.h"

namespace tokenrelay::relay {

class Generation final : private upstream::CallHandler, private Slots::Waiter {
 public:
  class Owner {
   public:
    // False: the stream has ended by this (too long); touch nothing and return.
    virtual bool append(storage::EventKind kind, std::string_view payload) = 0;
    virtual void on_generation_started() = 0;  // its first place was found: queued becomes streaming
    virtual void on_generation_answered() {}   // the upstream has taken the request: its answer begins
    // From now on another process could go on with the answer; token "": no longer.
    virtual void on_generation_resumable(const std::string& /*upstream*/, const std::string& /*token*/,
                                         uint32_t /*attempt*/) {}
    virtual void on_generation_end(upstream::Outcome outcome) = 0;

   protected:
    ~Owner() = default;
  };

  Generation(Context& context, std::shared_ptr<const Options> options, Route route, upstream::ModelRequest request,
             uint64_t prompt_bytes, uint64_t first_tool_index, Owner& owner);
  ~Generation();

  void begin();
  // Instead: goes on with the answer that `from` finds, of which `said` is durable. It is not asked for again.
  void take_up(const Continuation& from, Progress said);
  void close();  // cancels: the upstream's connection is closed when this returns
  void pause();
  void resume();
  bool running() const { return call_ != nullptr; }
  bool answered() const { return answered_; }
  void add_usage(UsageTotal& total, const upstream::Usage& said) const;  // what this generation cost, as far as known
  uint64_t tool_calls() const { return tools_.size(); }

 private:
  void on_slot() override;
  void on_text(std::string_view delta) override;
  void on_reasoning(std::string_view delta) override;
  void on_tool_call(int index, std::string_view id, std::string_view name, std::string_view arguments) override;
  void on_first_byte() override;
  void on_opaque(std::string_view object) override;
  void on_resumable(std::string_view token) override;
  void on_seam(std::string_view reason) override;
  void on_end(upstream::Outcome outcome) override;

  void take_slot();
  void leave_slot();
  void on_timer();
  void start_call();
  bool try_again(const upstream::Error& failure);
  bool fall_back(const upstream::Error& failure);
  bool append_seam(std::string_view reason);
  std::string draw_call_id() const;
  void forget_token();
  std::string_view unsaid(uint64_t& known, std::string_view delta);
  bool append_split(storage::EventKind kind, std::string_view delta);
  void note_delta(storage::EventKind kind, size_t bytes);

  Context& context_;
  Owner& owner_;
  std::shared_ptr<const Options> options_;
  int64_t last_delta_us_ = 0, first_call_us_ = 0;
  uint64_t output_bytes_ = 0;
  Progress known_;  // what is still to come again of an answer that was taken up
  const uint64_t prompt_bytes_, first_tool_index_;

  std::unique_ptr<upstream::Call> call_;
  transport::Timer timer_;  // waiting for a place, or for the next try
  enum class State { idle, queued, calling, backing_off, closed } state_ = State::idle;
  bool has_slot_ = false, answered_ = false, paused_ = false;
  Attempts attempts_;
  upstream::ModelRequest request_;
  std::shared_ptr<Upstream> upstream_;                      // whose slot it has, or waits for
  std::string token_;                                       // of an answer that can be taken up
  std::vector<std::pair<std::string, std::string>> tools_;  // id and name of each tool call so far
};

}  // namespace tokenrelay::relay
