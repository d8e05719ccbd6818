#include "service/api/state.h"

#include <charconv>

#include "service/api/await.h"
#include "service/api/compute.h"
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
constexpr size_t page_bytes = 1 << 20;  // of what clients put into its rows

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
  for (const auto& row : page.rows) bytes += row.text_bytes();
  return bytes;
}

// A stream that runs changes while a worker would look at it; it has seldom much beside its texts.
asio::awaitable<Reply> state_reply(Api& api, std::shared_ptr<relay::Stream> stream, Whole transcript, size_t held) {
  const size_t bytes = stream->ended() ? held + stream->row().metadata.size() : 0;
  std::function<Reply()> make = [stream, transcript] { return json_reply(200, state_json(*stream, *transcript)); };
  co_return co_await compute<Reply>(api.shard.worker(), bytes, std::move(make));
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

asio::awaitable<FoundPage> read_page(Api& api, const Request& request, PageQuery query) {
  co_return co_await until<FoundPage>([&](auto then) {
    api.shard.log().list(request.principal.owner, query.before, {query.limit, page_bytes}, std::move(then));
  });
}

struct List {
  std::vector<ListRow> rows;
  std::optional<storage::StreamKey> next;
};

std::shared_ptr<const List> listed(Api& api, storage::Page page) {
  const auto list = std::make_shared<List>();
  list->next = page.next;
  for (auto& row : page.rows) {
    const auto stream = api.shard.in_memory(row.stream_id);
    list->rows.emplace_back(std::move(row), stream.get());
  }
  return list;
}

Reply page_reply(const List& list) {
  json::Value out = {{"streams", json::Value::array()}, {"next_cursor", nullptr}};
  for (const auto& row : list.rows) out["streams"].push_back(list_row_json(row));
  if (list.next) out["next_cursor"] = page_cursor(*list.next);
  return json_reply(200, out);
}

}  // namespace

asio::awaitable<Answer> read_state(Api& api, const Request& request) {
  const std::string id = request.captures.at(0);
  OpenedStream found = co_await until<OpenedStream>([&](auto then) { api.shard.open(id, std::move(then)); });
  if (!found) co_return problem_of(found.error(), request);
  const auto stream = *found;
  if (!may_see(request.principal, *stream)) co_return refuse(Code::not_found, "no such stream", request);
  const auto share = api.whole_reads.none();
  const auto excerpts = std::make_shared<relay::Excerpts>(api.random, held_text_bytes);
  bool over = false;
  const auto fits = [&](size_t held) {
    over = !share->grow_to(gathered_twice(held + stream->row().metadata.size()));
    return !over;
  };
  const Whole transcript = co_await until<Whole>([&](auto then) {
    relay::read_stream_text(stream, {excerpts, fits}, std::move(then));
  });
  if (over) co_return too_many_whole_reads(request);
  if (!transcript) co_return problem_of({relay::Errc::unreadable, "the log cannot be read"}, request);
  Reply reply = co_await state_reply(api, stream, transcript, excerpts->held_bytes());
  co_return pieces_reply(api, std::move(reply), stream, excerpts, share, request);
}

asio::awaitable<Answer> list_streams(Api& api, const Request& request) {
  if (!api.settings().list_allowed)
    co_return refuse(Code::forbidden, "the list of streams is disabled: set list = true in the configuration", request);
  const auto query = read_page_query(request);
  if (!query) co_return refuse(Code::invalid_request, query.error(), request);
  FoundPage page = co_await read_page(api, request, *query);
  auto share = api.whole_reads.none();
  if (page && !share->grow_to(gathered_twice(bytes_of(*page)))) {
    const size_t bytes = bytes_of(*page);
    page = storage::Page();  // it waits for its turn in the log, not here
    share = co_await share_for(api, gathered_twice(bytes));
    if (!share) co_return too_many_whole_reads(request);
    page = co_await read_page(api, request, *query);
    if (page && !share->grow_to(gathered_twice(bytes_of(*page)))) co_return too_many_whole_reads(request);
  }
  if (!page) co_return problem_of({relay::Errc::unreadable, "the log cannot be read"}, request);
  const size_t bytes = bytes_of(*page);
  std::function<Reply()> make = [list = listed(api, std::move(*page))] { return page_reply(*list); };
  Reply reply = co_await compute<Reply>(api.shard.worker(), bytes, std::move(make));
  co_return held_reply(std::move(reply), share, request);
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
