// item_reference: an item of an earlier response of this relay, by its id. @ai-sdk/openai sends every earlier turn this
// way.
#include "service/surface/responses/references.h"

#include <algorithm>
#include <map>

#include "service/api/await.h"
#include "service/api/whole_answer.h"
#include "service/relay/pieces.h"
#include "service/surface/answer.h"
#include "service/surface/responses/output.h"
#include "service/surface/responses/parts.h"

namespace tokenrelay::surface {
namespace {

using api::until;
using http::Reply;
using http::Request;
using json::Value;
using Resolved = tl::expected<api::WholeReads::SharePtr, Reply>;
using Streams = std::vector<std::shared_ptr<relay::Stream>>;

constexpr size_t body_copies = 2;  // in the body, and in the request that is made from it

struct Reference {
  size_t at = 0;      // in `input`
  size_t number = 0;  // of the item in its response
  std::string id;
};
using References = std::map<std::string, std::vector<Reference>>;  // by stream

Error unknown(const Reference& reference) {
  return invalid("input[" + std::to_string(reference.at) + "].id", "item " + reference.id + " does not exist");
}

// {"id"} alone is a reference, too.
bool is_reference(const Value& item) {
  if (!item.is_object()) return false;
  return json::word(item, "type") == "item_reference" || (item.size() == 1 && item.contains("id"));
}

tl::expected<References, Error> references_in(const Value& input) {
  References found;
  for (size_t i = 0; i < input.size(); ++i) {
    if (!is_reference(input[i])) continue;
    Reference reference{i, 0, json::word(input[i], "id").substr(0, 128)};
    const auto place = parse_item_id(reference.id);
    if (!place) continue;  // a provider's
    reference.number = place->number;
    found[place->stream_id].push_back(std::move(reference));
    if (found.size() > max_referenced_responses) {
      return refuse("input", "refers to more than " + std::to_string(max_referenced_responses) + " responses");
    }
  }
  return found;
}

Error too_large() {
  return invalid("input", "refers to more than " + std::to_string(max_referenced_bytes >> 20) + " MiB of items");
}

// A response that is referred to, with its long texts left in the log.
struct Referred {
  std::shared_ptr<relay::Stream> stream;
  ResponseFacts facts;
  std::shared_ptr<Transcript> transcript;
  Output output;
};

// The item that a reference names; null: there is none, or it was voided by a steer.
Item* item_of(const Referred& from, const Reference& reference) {
  const bool known = reference.number < from.output.items().size() &&
                     item_id(from.facts, *from.transcript, from.output, reference.number) == reference.id;
  if (!known) return nullptr;
  Item& item = from.transcript->items[from.output.items()[reference.number].said];
  return item.voided ? nullptr : &item;
}

// Reads an item's text that was left in the log. Nullopt: the log cannot be read.
asio::awaitable<std::optional<std::string>> text_of(const Referred& from, const Item& item) {
  using Text = std::optional<std::string>;
  const relay::Excerpt* const excerpt = from.transcript->excerpts->excerpt_at(item.place);
  if (excerpt == nullptr) co_return item.text;
  co_return co_await until<Text>(
      [&](auto then) { relay::read_excerpt(from.stream, *excerpt, max_referenced_bytes, std::move(then)); });
}

tl::unexpected<Reply> refused(const Error& fault, const Request& request) {
  return tl::make_unexpected(error_reply(Protocol::responses, fault, request.request_id));
}

asio::awaitable<tl::expected<Streams, Reply>> find_streams(api::Api& api, const Request& request,
                                                           const References& references) {
  Streams streams;
  for (const auto& [stream_id, of_it] : references) {
    auto stream = co_await find_stream(api, request, Protocol::responses, stream_id);
    if (!stream) co_return refused(unknown(of_it.front()), request);
    streams.push_back(std::move(*stream));
  }
  co_return streams;
}

asio::awaitable<std::optional<Reply>> replace(const Request& request, const Referred& from,
                                              const std::vector<Reference>& references, Value& input,
                                              const api::WholeReads::SharePtr& share, size_t& bytes) {
  for (const auto& reference : references) {
    Item* const item = item_of(from, reference);
    if (item == nullptr) co_return error_reply(Protocol::responses, unknown(reference), request.request_id);
    auto text = co_await text_of(from, *item);
    if (!text) co_return api::problem_of({relay::Errc::unreadable, "the log cannot be read"}, request);
    bytes += text->size();
    if (bytes > max_referenced_bytes) co_return error_reply(Protocol::responses, too_large(), request.request_id);
    if (!share->grow_to(body_copies * bytes)) co_return api::too_many_whole_reads(request);
    text->swap(item->text);  // for a moment, since it may be referred to again
    input[reference.at] = item_json(from.facts, *from.transcript, from.output, reference.number, "completed");
    text->swap(item->text);
  }
  co_return std::nullopt;
}

}  // namespace

asio::awaitable<Resolved> resolve_references(api::Api& api, const Request& request, Value& body) {
  const auto input = body.find("input");
  if (input == body.end() || !input->is_array()) co_return nullptr;
  const auto found = references_in(*input);
  if (!found) co_return refused(found.error(), request);
  if (found->empty()) co_return nullptr;
  auto streams = co_await find_streams(api, request, *found);
  if (!streams) co_return tl::make_unexpected(std::move(streams.error()));
  const auto share = api.whole_reads.none();
  size_t bytes = 0;
  for (const auto& stream : *streams) {
    Referred from{stream, facts_of(*stream), std::make_shared<Transcript>(), {}};
    from.transcript->excerpts = std::make_shared<relay::Excerpts>(api.random, api::held_text_bytes);
    auto fault = co_await read_transcript(request, stream, from.transcript, share);
    if (fault) co_return tl::make_unexpected(std::move(*fault));
    from.output.follow(*from.transcript);
    fault = co_await replace(request, from, found->at(stream->id()), *input, share, bytes);
    if (fault) co_return tl::make_unexpected(std::move(*fault));
  }
  (void)share->resize(std::min(share->bytes(), body_copies * bytes));
  co_return share;
}

}  // namespace tokenrelay::surface
