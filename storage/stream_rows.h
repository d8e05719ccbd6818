// Reading the rows of streams: what find(), list(), recovery and retention see.
#pragma once

#include <optional>
#include <string>

#include "storage/database.h"
#include "storage/event_log.h"

namespace tokenrelay::storage {

inline constexpr int64_t tombstone_ms = 24 * 3600 * 1000;

class StreamRows {
 public:
  int prepare(Database& db);

  // Each returns SQLITE_ROW with `row` filled, SQLITE_DONE if there is none, or an error. last_seq and the last run's
  // end are as stored; for an unfinished stream the tails have the current values.
  int by_id(const std::string& stream_id, StreamRow& row);
  int by_key(StreamKey key, StreamRow& row);
  int by_run(const std::string& token, StreamRow& row);
  int by_idempotency_key(const std::string& key, StreamRow& row);

  int list(const std::string& owner, std::optional<StreamKey> before, PageLimits limits, Page& page);
  int unfinished(std::vector<StreamRow>& rows);
  // Oldest finish first: those before `finished_before_ms`, then more until their bytes reach `excess`.
  int expired(int64_t finished_before_ms, uint64_t excess, size_t limit, std::vector<StreamRow>& rows);
  int tombstone(const std::string& stream_id, int64_t& removed_ms);

 private:
  int one(Statement& s, StreamRow& row);
  int many(Statement& s, std::vector<StreamRow>& rows);
  int load_runs(StreamRow& row);
  int load_runs_of(std::vector<StreamRow>& rows);

  Statement by_id_, by_key_, by_run_, by_idempotency_key_, runs_, list_, unfinished_, expired_, tombstone_;
};

// Sets where each run of `row` ends, once last_seq is known.
void close_runs(StreamRow& row);

}  // namespace tokenrelay::storage
