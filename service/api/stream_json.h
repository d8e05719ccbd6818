// A stream as JSON: the answer to its creation, a row of the list, its whole state.
#pragma once

#include <string>

#include "metrics/metrics.h"
#include "service/http/reply.h"
#include "service/json/parse.h"
#include "service/relay/event_id.h"
#include "service/relay/stream.h"
#include "service/relay/stream_text.h"

namespace tokenrelay::api {

std::string stream_path(const std::string& stream_id);  // /v1/streams/{id}

http::Reply json_reply(int status, const json::Value& value);  // no-store

json::Value created_json(const relay::Stream& stream);
// A row of the list, as it is now: the log's row, or what the stream in memory knows better.
struct ListRow {
  ListRow(storage::StreamRow stored, const relay::Stream* live);

  storage::StreamRow row;
  std::string status;
  int64_t updated_ms = 0;
  bool ended = false;
};
json::Value list_row_json(const ListRow& listed);
json::Value state_json(const relay::Stream& stream, const relay::StreamText& transcript);

// What a reader gets first: the verdict on its cursor.
std::string resumed_json(const relay::Stream& stream, relay::Verdict verdict);
metrics::Verdict metric_of(relay::Verdict verdict);

}  // namespace tokenrelay::api
