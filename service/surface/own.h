// Whether a request may go up as its client wrote it, to a provider of the client's own protocol
// (upstream/own_request.h), beyond that the provider's kind fits.
//
// Threads: any.
#pragma once

#include <optional>
#include <string_view>

#include "service/json/parse.h"
#include "service/surface/begin.h"

namespace tokenrelay::surface {

// Makes the request one that goes up as it is. Where the translation failed with `untranslated`, it has no other form.
void send_own(SurfaceRequest& request, std::string_view kind, std::string_view body,
              const std::optional<Error>& untranslated);

}  // namespace tokenrelay::surface
