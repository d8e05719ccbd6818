// Shard: every stream that this thread owns, and the one place where streams are made, found and removed.
//
// Threads: its loop's. There is one today, but nothing in it assumes that. It observes the log: on each commit it tells
// the streams concerned that their events are durable, and they wake their readers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "service/relay/admission.h"
#include "service/relay/context.h"
#include "service/relay/expiry_clock.h"
#include "service/relay/models.h"
#include "service/relay/options.h"
#include "service/relay/stream.h"
#include "storage/event_log.h"
#include "storage/key_table.h"

namespace tokenrelay::relay {

enum class Errc { not_found, gone, key_reused, draining, overloaded, log_unavailable, unreadable };

struct [[nodiscard]] Error {
  Errc code;
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;
template <typename T>
using Completion = std::function<void(Result<T>)>;

struct NewStream {
  bool overloaded = false;  // too many connections: only a known idempotency key is answered
  Prompt prompt;
  std::string request;  // as it is stored, stored_request()
  std::string owner, model, metadata;
  std::string marks;                       // more members of the start event: `,"surface":"chat"`; "" for none
  std::string idempotency_key, body_hash;  // key already scoped; "" for none
};

struct CreatedStream {
  std::shared_ptr<Stream> stream;
  bool existing = false;
};

class Shard final : public storage::Observer {
 public:
  Shard(transport::Loop& loop, metrics::Metrics& metrics, Random random, std::shared_ptr<const Options> options,
        std::shared_ptr<const ModelTable> models);
  ~Shard() override;

  // The log is opened with this shard as its observer, then handed over, before anything else is called.
  void use(std::unique_ptr<storage::EventLog> log);
  void reload(std::shared_ptr<const Options> options, std::shared_ptr<const ModelTable> models);

  const ModelTable& models() const { return *models_; }
  std::shared_ptr<const ModelTable> model_table() const { return models_; }  // for a worker: a reload replaces it
  const Options& options() const { return *options_; }
  storage::EventLog& log() { return *log_; }
  transport::Worker& worker() { return worker_; }
  Context& context() { return *context_; }

  // ---- streams
  void create(NewStream what, Completion<CreatedStream> done);  // its start event is durable when `done` is called
  // A stream that another process began, from its row at recovery. To be called before any request.
  void go_on(storage::StreamRow row);
  void open(std::string stream_id, Completion<std::shared_ptr<Stream>> done);
  void open_run(std::string run, Completion<std::shared_ptr<Stream>> done);
  void remove(std::string stream_id, Completion<bool> done);        // cancels it first if it runs
  std::shared_ptr<Stream> in_memory(const std::string& stream_id);  // live, or ended and still read; null: use open()
  size_t live() const { return live_.size(); }
  void each_live(const std::function<void(const std::shared_ptr<Stream>&)>& look) const;
  size_t queued() const;  // of these, waiting for an upstream slot

  // ---- shutdown
  // No new streams from now on; `done` once none runs. What still runs after `timeout_ms` is interrupted.
  void drain(int64_t timeout_ms, std::function<void()> done);
  bool draining() const { return draining_; }

  // ---- storage::Observer
  void on_durable(std::span<const storage::Durable> streams, int64_t late_ms) override;
  void on_log_state() override;

 private:
  std::optional<Error> refusal(const NewStream& what) const;  // why it may not start now
  void look_at_memory();
  void refuse_new(const NewStream& what, Error error, Completion<CreatedStream> done);
  std::vector<std::shared_ptr<Stream>> all_live() const;
  std::shared_ptr<Stream> adopt(storage::StreamRow row, std::string_view start);
  void on_ended(Stream& stream);
  void on_row(storage::Result<storage::StreamRow> row, const Completion<std::shared_ptr<Stream>>& done);
  void remove_ended(const std::shared_ptr<Stream>& stream, Completion<bool> done);
  void remove_now(const std::shared_ptr<Stream>& stream, const Completion<bool>& done);
  void if_drained();
  void finish_drain();
  void interrupt(Stream& stream);
  void close_generations();  // the log has stalled for too long
  void watch_log();          // a hanging commit causes no callback
  void expire();
  void expire_one(const storage::StreamRow& row);

  transport::Loop& loop_;
  metrics::Metrics& metrics_;
  Random random_;
  std::shared_ptr<const Options> options_;
  std::shared_ptr<const ModelTable> models_;
  transport::Worker worker_;
  std::unique_ptr<Context> context_;  // outlives the log, whose pending completions may own a stream
  std::unique_ptr<storage::EventLog> log_;

  storage::KeyTable<std::shared_ptr<Stream>> live_;
  std::unordered_map<std::string, std::weak_ptr<Stream>> known_;  // live, or ended with readers
  size_t creating_ = 0;
  ExpiryClock expiry_clock_;
  std::unordered_map<std::string, int64_t> expiring_since_ms_;  // spared because they are being read

  Admission admission_;
  bool looking_at_memory_ = false;
  int64_t trimmed_ms_ = 0;
  transport::Alive alive_;
  bool draining_ = false, drain_is_over_ = false;
  std::function<void()> drained_;
  transport::Timer drain_timer_, stall_timer_, expiry_timer_, watch_timer_;
};

}  // namespace tokenrelay::relay
