// item_reference: an item of an earlier response of this relay, by its id. @ai-sdk/openai sends every earlier turn this
// way.
#include "service/surface/responses/references.h"

#include <algorithm>
#include <map>

#include "service/api/whole_answer.h"
#include "service/surface/answer.h"
#include "service/surface/responses/output.h"
#include "service/surface/responses/parts.h"

namespace tokenrelay::surface {
namespace {

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
    if (!place) return tl::make_unexpected(unknown(reference));
    reference.number = place->number;
    found[place->stream_id].push_back(std::move(reference));
    if (found.size() > max_referenced_responses) {
      return refuse("input", "refers to more than " + std::to_string(max_referenced_responses) + " responses");
    }
  }
  return found;
}

// Replaces the references to this stream with its items, and adds their size to `bytes`.
std::optional<Error> replace(const relay::Stream& stream, const Transcript& transcript,
                             const std::vector<Reference>& references, Value& input, size_t& bytes) {
  const ResponseFacts facts = facts_of(stream);
  Output output;
  output.follow(transcript);
  for (const auto& reference : references) {
    const bool known = reference.number < output.items().size() &&
                       item_id(facts, transcript, output, reference.number) == reference.id;
    if (!known) return unknown(reference);
    if (transcript.items[output.items()[reference.number].said].voided) return unknown(reference);  // by a steer
    bytes += transcript.items[output.items()[reference.number].said].text.size();
    if (bytes > max_referenced_bytes) {
      return invalid("input", "refers to more than " + std::to_string(max_referenced_bytes >> 20) + " MiB of items");
    }
    input[reference.at] = item_json(facts, transcript, output, reference.number, "completed");
  }
  return std::nullopt;
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

// The streams are read one after the other; only what is referred to is kept.
size_t needed_for(const Streams& streams) {
  uint64_t largest = 0, all = 0;
  for (const auto& stream : streams) {
    largest = std::max(largest, stream->bytes());
    all += stream->bytes();
  }
  return static_cast<size_t>(largest + body_copies * std::min<uint64_t>(all, max_referenced_bytes));
}

}  // namespace

asio::awaitable<Resolved> resolve_references(api::Api& api, const Request& request, Value& body) {
  const auto input = body.find("input");
  if (input == body.end() || !input->is_array()) co_return nullptr;
  const auto found = references_in(*input);
  if (!found) co_return refused(found.error(), request);
  auto streams = co_await find_streams(api, request, *found);
  if (!streams) co_return tl::make_unexpected(std::move(streams.error()));
  const auto share = co_await api::share_for(api, needed_for(*streams));
  if (!share) co_return tl::make_unexpected(api::too_many_whole_reads(request));
  size_t bytes = 0;
  for (const auto& stream : *streams) {
    const auto transcript = co_await read_transcript(stream);
    if (!transcript) {
      co_return tl::make_unexpected(api::problem_of({relay::Errc::unreadable, "the log cannot be read"}, request));
    }
    const auto fault = replace(*stream, *transcript, found->at(stream->id()), *input, bytes);
    if (fault) co_return refused(*fault, request);
  }
  (void)share->resize(std::min(share->bytes(), body_copies * bytes));
  co_return share;
}

}  // namespace tokenrelay::surface
