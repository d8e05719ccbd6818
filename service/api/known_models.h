// The models that this relay serves, and the one that a request without a model means.
//
// Names from the configuration, and, for upstreams that take any name or globs, what they list themselves
// (upstream/model_list.h). Threads: the shard's loop. Bounds: those of ModelList.
#pragma once

#include <asio/awaitable.hpp>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "service/api/api.h"

namespace tokenrelay::api {

// Waits for the upstreams' lists, a few seconds at most. An upstream whose list cannot be read has its configured
// names.
asio::awaitable<std::vector<relay::KnownModel>> known_models(Api& api);

// The configured default, else the only model there is. The error says what to do.
asio::awaitable<tl::expected<std::string, std::string>> model_for_none(Api& api);

}  // namespace tokenrelay::api
