#include "service/transport/tls_server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <openssl/x509err.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <utility>

#include "service/transport/tls_session.h"

namespace tokenrelay::transport {
namespace {

using Context = std::shared_ptr<SSL_CTX>;
using File = TlsFault::File;

constexpr const char* ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";  // of TLS 1.2; those of 1.3 are all fit
constexpr std::string_view alpn = "\x08http/1.1";
constexpr unsigned char session_context[] = "tokenrelay";
constexpr size_t ticket_keys_bytes = 80;

// A client that offers only other protocols is refused (RFC 7301 3.2); one that offers none speaks HTTP/1.1.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
  const auto* ours = reinterpret_cast<const unsigned char*>(alpn.data());
  const int found = SSL_select_next_proto(const_cast<unsigned char**>(out), size, ours,
                                          static_cast<unsigned int>(alpn.size()), offered, offered_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int no_passphrase(char*, int, int, void*) {
  return -1;  // else OpenSSL asks on the terminal
}

Context make_context() {
  Context context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) throw std::bad_alloc();
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(raw, ciphers);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Without AUTO_RETRY, a peer that sends only protocol records and no data yields to the loop each time.
  SSL_CTX_clear_mode(raw, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(raw, session_context, sizeof session_context - 1);
  SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(raw, no_passphrase);
  return context;
}

std::optional<TlsFault> unreadable(File file, const std::string& path) {
  std::unique_ptr<FILE, int (*)(FILE*)> opened(std::fopen(path.c_str(), "re"), std::fclose);
  if (opened && std::fgetc(opened.get()) != EOF) return std::nullopt;
  if (opened && !std::ferror(opened.get())) return TlsFault{file, "is empty"};
  return TlsFault{file, "cannot be read: " + std::generic_category().message(errno)};
}

std::string reason_of(unsigned long error, const char* wanted) {
  const int reason = ERR_GET_REASON(error);
  if (ERR_GET_LIB(error) == ERR_LIB_X509 &&
      (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH))
    return "does not belong to the certificate";
  const bool of_parsing = (ERR_GET_RFLAGS(error) & ERR_RFLAG_COMMON) != 0;  // "PEM lib"
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && !of_parsing) {
    const char* text = ERR_reason_error_string(error);
    return std::string("cannot be used: ") + (text ? text : "OpenSSL rejects it");
  }
  return wanted;
}

tl::expected<Context, TlsFault> load(const TlsFiles& files) {
  if (auto fault = unreadable(File::certificate, files.certificate)) return tl::make_unexpected(*fault);
  if (auto fault = unreadable(File::key, files.key)) return tl::make_unexpected(*fault);
  Context context = make_context();
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1) {
    return tl::make_unexpected(
        TlsFault{File::certificate, reason_of(ERR_peek_last_error(), "contains no PEM certificate")});
  }
  ERR_clear_error();
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return tl::make_unexpected(
        TlsFault{File::key, reason_of(ERR_peek_last_error(), "contains no PEM private key, or one with a passphrase")});
  }
  ERR_clear_error();
  return context;
}

// Existing tickets of clients stay valid.
void keep_ticket_keys(SSL_CTX* from, SSL_CTX* to) {
  std::array<unsigned char, ticket_keys_bytes> keys;
  if (SSL_CTX_get_tlsext_ticket_keys(from, keys.data(), keys.size()) == 1)
    SSL_CTX_set_tlsext_ticket_keys(to, keys.data(), keys.size());
  OPENSSL_cleanse(keys.data(), keys.size());
}

}  // namespace

bool readable_by_all(const std::string& file) {
  struct stat found {};
  return ::stat(file.c_str(), &found) == 0 && (found.st_mode & S_IROTH) != 0;
}

tl::expected<TlsServer, TlsFault> TlsServer::open(const TlsFiles& files, size_t max_handshakes) {
  auto context = load(files);
  if (!context) return tl::make_unexpected(context.error());
  return TlsServer(
      std::make_shared<TlsShared>(TlsShared{.context = std::move(*context), .max_handshakes = max_handshakes}));
}

std::optional<TlsFault> TlsServer::reload(const TlsFiles& files) {
  const auto opened = open(files);
  if (!opened) return opened.error();
  change_to(*opened);
  return std::nullopt;
}

void TlsServer::change_to(const TlsServer& opened) {
  keep_ticket_keys(shared_->context.get(), opened.shared_->context.get());
  shared_->context = opened.shared_->context;
}

void TlsServer::secure(Socket& socket) {
  socket.secure(std::make_unique<TlsSession>(shared_));
}

}  // namespace tokenrelay::transport
