// Stream: one durable log of events, live (being written) or ended (read back), with its generation and its readers.
//
// The main rule: an event is appended here and goes to the log; readers wake only when the log reports it durable.
// Exactly one terminal event ends the stream, whatever happens. Threads: its shard's loop. Ownership: shared by
// the shard's table while it is live, and by its subscribers.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/relay/commands.h"
#include "service/relay/context.h"
#include "service/relay/disconnect_policy.h"
#include "service/relay/event_id.h"
#include "service/relay/generation.h"
#include "service/relay/subscriber.h"
#include "service/relay/tail.h"

namespace tokenrelay::relay {

struct ContinuedRequest;

// What begins a stream's first generation.
struct Prompt {
  Route route;
  upstream::PreparedPtr request;  // for the route's upstream
  std::string request_id;
  uint64_t prompt_bytes = 0;  // of the messages' text, for estimates
  OnDisconnect on_disconnect;
};

class Stream final : public std::enable_shared_from_this<Stream>, private Generation::Owner {
 public:
  using BlockRead = storage::Completion<std::shared_ptr<const storage::Block>>;
  static constexpr size_t block_bytes = 64 << 10;  // what a reader behind the tail holds

  // From the log's row. Ended if the row says so; else just created by this process, with `start` as the payload of its
  // start event.
  Stream(Context& context, std::shared_ptr<const Options> options, storage::StreamRow row, std::string_view start,
         std::function<void(Stream&)> on_ended);
  ~Stream();

  const storage::StreamRow& row() const { return row_; }
  const std::string& id() const { return row_.stream_id; }
  const std::vector<Run>& runs() const { return row_.runs; }
  Seq durable() const { return row_.last_seq; }
  bool ended() const { return phase_ == Phase::ended; }  // the terminal event is durable
  bool broken() const { return broken_; }                // the log failed: nothing more will become durable
  uint64_t bytes() const { return std::max(stored_bytes_, row_.stored_bytes); }  // of its payloads, approximately
  std::string_view status() const;                                               // queued, streaming, or terminal
  int64_t updated_ms() const { return updated_ms_; }
  Context& context() { return context_; }

  // --- writing
  void begin(Prompt prompt);                                   // the start event is durable already
  void go_on(Route route, const Continuation& from);           // continues what another process began, after durable()
  bool cancel();                                               // true: a running upstream was closed; see commands.h
  tl::expected<Seq, Refusal> steer(std::string_view content);  // the seq of the steer event; see commands.h
  void interrupt(std::string code, std::string message);       // the relay cannot continue it
  void fail(std::string code, std::string message);
  void on_durable(Seq seq, int64_t wall_ms);  // from the shard, once per commit
  void on_log_failed();
  void resume_upstream();  // the log has room again
  bool paused() const { return paused_; }

  // Calls back once the terminal event is durable (true) or can no longer become durable (false); at once if known.
  void when_ended(std::function<void(bool durable)> then);

  void when_durable(Seq seq, std::function<void(bool durable)> then);

  // Calls back once the upstream has accepted the request, a delta is durable, the stream has ended, or the time is
  // over: from then on a client may be told that its answer begins.
  void when_answered(int64_t within_ms, std::function<void()> then);
  // Why the stream failed, in the words of the upstream; nullopt: it did not fail, or this process did not see it.
  const std::optional<upstream::Error>& failure() const { return failure_; }
  // What the last response of the upstream told in its head; null: this process has had none.
  const std::shared_ptr<const upstream::AnswerHeaders>& answer_headers() const { return answer_headers_; }
  bool said_anything() const { return said_anything_; }  // this process has appended text, reasoning or a tool call

  // --- reading
  Tail& tail() { return tail_; }
  void attach(Subscriber& subscriber);
  void detach(Subscriber& subscriber, bool cut_by_relay);
  size_t subscribers() const { return followers_.size() + readings_; }
  // Held by who reads the log without being a subscriber: a removal waits for it as for a reader.
  std::shared_ptr<void> reading();
  void cut_readers(CutReason reason);
  void when_unread(int64_t within_ms, std::function<void()> then);  // no reader is left, or the time is over
  void read(Seq after, BlockRead done);  // readers at the same position share one read and its block

 private:
  enum class Phase { queued, streaming, ending, ended };

  bool append(storage::EventKind kind, std::string_view payload) override;
  void on_generation_started() override;
  void on_generation_answered() override;
  void on_generation_headers(const std::shared_ptr<const upstream::AnswerHeaders>& headers) override {
    answer_headers_ = headers;
  }
  void on_generation_resumable(const std::string& upstream, const std::string& token, uint32_t attempt) override;
  void prepare_again(const Route& route, std::function<void(std::optional<upstream::Prepared>)> then) override;
  void on_generation_end(upstream::Outcome outcome) override;
  void end(std::string_view status, const upstream::Outcome* outcome, const std::optional<StreamError>& error);
  void retire_generation(Generation::Answer what = Generation::Answer::cancel);
  void keep_watch(OnDisconnect on_disconnect, int64_t within_ms);
  void take_up(const Continuation& from, const std::optional<Progress>& said);
  void make_generation(uint64_t prompt_bytes);
  void start_generation(upstream::PreparedPtr request, uint64_t prompt_bytes);
  void go_on_steered();  // once the steers so far are durable
  void start_steered(Seq upto, std::optional<ContinuedRequest> next);
  void follow_pressure();
  void wake_followers();
  void notify_ended(bool durable);
  void notice_unread();
  void notify_unread();
  void notify_answered();

  // The members that every append and every commit use are together: a thousand streams do not fit into a core's cache.
  Context& context_;
  std::shared_ptr<const Options> options_;
  Phase phase_;
  bool broken_ = false, paused_ = false, said_anything_ = false, answered_ = false;
  bool reading_conversation_ = false;
  bool resumable_ = false;  // the log holds a continuation
  bool taking_up_ = false;  // the generation was begun by another process
  uint64_t stored_bytes_ = 0, uncommitted_bytes_ = 0;
  int64_t updated_ms_;
  Seq steered_ = 0;  // the last steer event that no generation has seen yet
  std::unique_ptr<Generation> generation_;
  std::vector<Subscriber*> followers_;
  Tail tail_;
  std::vector<std::pair<Seq, std::function<void(bool)>>> waiting_for_durable_;  // by seq
  storage::StreamRow row_;

  std::function<void(Stream&)> on_ended_;
  uint64_t tool_calls_ = 0;
  UsageTotal usage_;
  std::string failure_code_;

  std::map<Seq, std::vector<BlockRead>> reads_;  // in flight, by position
  Seq shared_after_ = 0;                         // the block last read, while somebody still holds it
  std::weak_ptr<const storage::Block> shared_block_;

  std::optional<Route> route_;
  std::string request_id_;
  uint64_t prompt_bytes_ = 0;
  OnDisconnect on_disconnect_;
  uint32_t steers_ = 0;
  std::unique_ptr<DisconnectPolicy> policy_;
  std::unique_ptr<transport::Timer> time_limit_;
  std::vector<std::function<void(bool)>> waiting_for_end_;
  std::optional<upstream::Error> failure_;
  std::shared_ptr<const upstream::AnswerHeaders> answer_headers_;
  std::unique_ptr<transport::Timer> answered_timer_;  // armed while when_answered() waits
  std::vector<std::function<void()>> waiting_for_answer_;
  std::unique_ptr<transport::Timer> unread_timer_;  // armed while when_unread() waits
  std::vector<std::function<void()>> waiting_for_unread_;
  size_t readings_ = 0;
};

}  // namespace tokenrelay::relay
