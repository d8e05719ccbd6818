// item_reference: an item that an earlier response of this relay said, by its id. @ai-sdk/openai sends every earlier
// turn this way.
#include <map>

#include "service/surface/responses/parts.h"
#include "service/surface/responses/responses.h"

namespace tokenrelay::surface {
namespace {

using http::Request;
using json::Value;

struct Reference {
  size_t at = 0;      // in `input`
  size_t number = 0;  // of the item in its response
  std::string id;
};
using References = std::map<std::string, std::vector<Reference>>;  // by stream

Error unknown(const Reference& reference) {
  return invalid("input[" + std::to_string(reference.at) + "].id", "there is no item " + reference.id);
}

// Also {"id"} alone means a reference.
bool is_reference(const Value& item) {
  if (!item.is_object()) return false;
  return json::word(item, "type") == "item_reference" || (item.size() == 1 && item.contains("id"));
}

tl::expected<References, Error> references_in(const Value& input) {
  References found;
  for (size_t i = 0; i < input.size(); ++i) {
    if (!is_reference(input[i])) continue;
    Reference reference{i, 0, json::word(input[i], "id").substr(0, 128)};
    const auto place = place_of_item(reference.id);
    if (!place) return tl::make_unexpected(unknown(reference));
    reference.number = place->number;
    found[place->stream_id].push_back(std::move(reference));
    if (found.size() > max_referenced_responses) {
      return refuse("input", "refers to more than " + std::to_string(max_referenced_responses) + " responses");
    }
  }
  return found;
}

// Replaces this stream's references. Adds to `bytes` what came in their place.
std::optional<Error> replace(const relay::Stream& stream, const Gathered& gathered,
                             const std::vector<Reference>& references, Value& input, size_t& bytes) {
  const ResponseFacts facts = facts_of(stream);
  Output output;
  output.follow(gathered);
  for (const auto& reference : references) {
    const bool known =
        reference.number < output.items().size() && item_id(facts, gathered, output, reference.number) == reference.id;
    if (!known) return unknown(reference);
    if (gathered.items[output.items()[reference.number].said].voided) return unknown(reference);  // by a steer
    bytes += gathered.items[output.items()[reference.number].said].text.size();
    if (bytes > max_referenced_bytes) return invalid("input", "what it refers to is too long");
    input[reference.at] = item_json(facts, gathered, output, reference.number, "completed");
  }
  return std::nullopt;
}

}  // namespace

asio::awaitable<std::optional<http::Reply>> resolve_references(api::Api& api, const Request& request, Value& body) {
  const auto input = body.find("input");
  if (input == body.end() || !input->is_array()) co_return std::nullopt;
  const auto found = references_in(*input);
  if (!found) co_return error_reply(Dialect::responses, found.error(), request.request_id);
  size_t bytes = 0;
  for (const auto& [stream_id, references] : *found) {
    const auto stream = co_await find_stream(api, request, Dialect::responses, stream_id);
    if (!stream) co_return error_reply(Dialect::responses, unknown(references.front()), request.request_id);
    const auto gathered = co_await gather(*stream);
    if (!gathered) co_return api::problem_of({relay::Errc::unreadable, "the log cannot be read"}, request);
    const auto fault = replace(**stream, *gathered, references, *input, bytes);
    if (fault) co_return error_reply(Dialect::responses, *fault, request.request_id);
  }
  co_return std::nullopt;
}

}  // namespace tokenrelay::surface
