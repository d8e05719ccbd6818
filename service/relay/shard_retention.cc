// Finished streams go when they are old, or too many; one that is being read is spared for a while.
#include <algorithm>

#include "service/relay/shard.h"

namespace tokenrelay::relay {
namespace {

constexpr size_t expire_at_once = 200;
constexpr int64_t expire_again_ms = 500;  // when that was not all

}  // namespace

void Shard::expire() {
  expiry_timer_.arm(std::clamp<int64_t>(options_->retention_ms / 4, 100, 60'000));
  if (!log_ || log_->status().state != storage::LogState::healthy) return;
  log_->expired(context_->wall_ms() - options_->retention_ms, options_->retention_bytes, expire_at_once,
                [this](storage::Result<std::vector<storage::StreamRow>> rows) {
                  if (!rows) return;
                  for (const auto& row : *rows) expire_one(row);
                  if (rows->size() == expire_at_once) expiry_timer_.arm(expire_again_ms);  // there is more
                });
}

void Shard::expire_one(const storage::StreamRow& row) {
  const auto stream = in_memory(row.stream_id);
  if (stream && !stream->ended()) return;  // a live one, never
  if (stream && stream->subscribers() > 0) {
    const auto since = expiring_since_ms_.try_emplace(row.stream_id, context_->now_ms()).first->second;
    if (context_->now_ms() - since < options_->retention_reader_grace_ms) return;
    stream->cut_readers(CutReason::retention);
  }
  expiring_since_ms_.erase(row.stream_id);
  log_->remove(row.stream_id, context_->wall_ms(),
               [this, id = row.stream_id](storage::Result<bool>) { known_.erase(id); });
}

}  // namespace tokenrelay::relay
