#include "service/api/state.h"

#include <charconv>

#include "service/api/await.h"
#include "service/api/stream_json.h"
#include "service/api/whole_answer.h"

namespace tokenrelay::api {
namespace {

using http::Answer;
using http::Code;
using http::Reply;
using http::Request;
using FoundPage = storage::Result<storage::Page>;
using Whole = std::shared_ptr<const relay::StreamText>;

constexpr size_t default_page = 20, max_page = 100;

template <typename T>
std::optional<T> number(std::string_view text, int base) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A page's cursor is opaque to clients: 'p' and the last row's key in hexadecimal.
std::string page_cursor(storage::StreamKey key) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, key, 16).ptr;
  return "p" + std::string(digits, end);
}

// The bytes that clients put into the rows of a page.
size_t bytes_of(const storage::Page& page) {
  size_t bytes = 0;
  for (const auto& row : page.rows) bytes += row.metadata.size() + row.done.size();
  return bytes;
}

struct PageQuery {
  size_t limit = default_page;
  std::optional<storage::StreamKey> before;
};

tl::expected<PageQuery, std::string> read_page_query(const Request& request) {
  PageQuery query;
  if (const auto text = request.query_value("limit")) {
    const auto limit = number<size_t>(*text, 10);
    if (!limit || *limit < 1 || *limit > max_page)
      return tl::make_unexpected(std::string("the query parameter limit must be 1 to 100"));
    query.limit = *limit;
  }
  if (const auto text = request.query_value("cursor"); text && !text->empty()) {
    query.before = text->front() == 'p' ? number<storage::StreamKey>(text->substr(1), 16) : std::nullopt;
    // SQLite's keys are signed: a larger number is never valid.
    if (!query.before || *query.before > INT64_MAX)
      return tl::make_unexpected(std::string("the query parameter cursor must be the next_cursor of an earlier page"));
  }
  return query;
}

}  // namespace

asio::awaitable<Answer> read_state(Api& api, const Request& request) {
  const std::string id = request.captures.at(0);
  OpenedStream found = co_await until<OpenedStream>([&](auto then) { api.shard.open(id, std::move(then)); });
  if (!found) co_return problem_of(found.error(), request);
  const auto stream = *found;
  if (!may_see(request.principal, *stream)) co_return refuse(Code::not_found, "no such stream", request);
  const auto share = co_await share_for(api, gathered_twice(stream->bytes()));
  if (!share) co_return too_many_whole_reads(request);
  const Whole transcript = co_await until<Whole>([&](auto then) { relay::read_stream_text(stream, std::move(then)); });
  if (!transcript) co_return problem_of({relay::Errc::unreadable, "the log cannot be read"}, request);
  co_return held_reply(json_reply(200, state_json(*stream, *transcript)), share, request);
}

asio::awaitable<Answer> list_streams(Api& api, const Request& request) {
  if (!api.settings().list_allowed)
    co_return refuse(Code::forbidden, "the list of streams is disabled: set list = true in the configuration", request);
  const auto query = read_page_query(request);
  if (!query) co_return refuse(Code::invalid_request, query.error(), request);
  FoundPage page = co_await until<FoundPage>(
      [&](auto then) { api.shard.log().list(request.principal.owner, query->before, query->limit, std::move(then)); });
  if (!page) co_return problem_of({relay::Errc::unreadable, "the log cannot be read"}, request);
  const auto share = co_await share_for(api, gathered_twice(bytes_of(*page)));
  if (!share) co_return too_many_whole_reads(request);
  json::Value out = {{"streams", json::Value::array()}, {"next_cursor", nullptr}};
  for (const auto& row : page->rows) {
    const auto stream = api.shard.in_memory(row.stream_id);
    out["streams"].push_back(list_row_json(row, stream.get()));
  }
  if (page->next) out["next_cursor"] = page_cursor(*page->next);
  co_return held_reply(json_reply(200, out), share, request);
}

asio::awaitable<Answer> remove_stream(Api& api, const Request& request) {
  const std::string id = request.captures.at(0);
  OpenedStream found = co_await until<OpenedStream>([&](auto then) { api.shard.open(id, std::move(then)); });
  if (!found) co_return problem_of(found.error(), request);
  if (!may_see(request.principal, **found)) co_return refuse(Code::not_found, "no such stream", request);
  using Removed = relay::Result<bool>;
  const Removed removed = co_await until<Removed>([&](auto then) { api.shard.remove(id, std::move(then)); });
  if (!removed) co_return problem_of(removed.error(), request);
  co_return Reply{204, {}, "", ""};
}

}  // namespace tokenrelay::api
