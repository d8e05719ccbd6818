// The changes to streams, inside the writer's transaction. Each returns SQLITE_OK, or an error that undoes the whole
// transaction. A caller's mistake is reported in the Result instead and undoes nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "storage/append_queue.h"
#include "storage/database.h"
#include "storage/stream_rows.h"

namespace tokenrelay::storage {

struct Removed {
  StreamKey key = 0;
  uint64_t stored_bytes = 0;
};

class StreamWrites {
 public:
  StreamWrites(std::function<void(void*, size_t)> random, bool keep_requests)
      : random_(std::move(random)), keep_requests_(keep_requests) {}
  int prepare(Database& db);

  // A new stream takes key `next_key`, which is then advanced, and puts its start event into `row`.
  int create(const NewStream& stream, StreamKey& next_key, std::string& row, Result<Created>& out);
  int keep(const ContinuationOp& op);
  int finish(const FinishOp& op);
  // not_found while the stream is unfinished: its owner must end it first.
  int remove(const RemoveOp& op, Result<Removed>& out);
  int begin_run(StreamKey key, Seq first, std::string& token);  // draws the token
  int journal(uint64_t id, std::string_view row);

 private:
  int existing(const NewStream& stream, std::optional<Result<Created>>& out);
  int insert(const NewStream& n, StreamKey key);
  std::string draw_token();

  std::function<void(void*, size_t)> random_;
  bool keep_requests_;
  Database* db_ = nullptr;
  StreamRows rows_;
  Statement by_idempotency_key_, insert_stream_, insert_run_, insert_request_, drop_request_, keep_continuation_,
      drop_continuation_, finish_, stored_bytes_, drop_stream_, drop_runs_, insert_tombstone_, insert_removal_,
      insert_journal_;
};

}  // namespace tokenrelay::storage
