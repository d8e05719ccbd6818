#include "tests/support/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <stdexcept>

namespace tokenrelay::support {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

void add_extension(X509* certificate, int kind, const char* value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

int remember_ticket(SSL* ssl, SSL_SESSION* session) {
  auto* kept = static_cast<std::shared_ptr<SSL_SESSION>*>(SSL_get_app_data(ssl));
  kept->reset(session, SSL_SESSION_free);
  return 1;
}

std::shared_ptr<SSL_CTX> make_context(const TlsClientOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(context.get(), remember_ticket);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (options.max_version != 0) {
    SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), options.max_version);
  }
  if (!options.ca.empty()) {
    if (SSL_CTX_load_verify_locations(context.get(), options.ca.c_str(), nullptr) != 1)
      throw std::runtime_error("no CA in " + options.ca);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  return context;
}

}  // namespace

Certificate make_certificate(const std::string& name, const std::string& others, long seconds) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), seconds);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate, subject);
  add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, NID_subject_alt_name, others.c_str());
  X509_sign(certificate, key, EVP_sha256());
  BIO* certificate_text = BIO_new(BIO_s_mem());
  BIO* key_text = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate_text, certificate);
  PEM_write_bio_PrivateKey(key_text, key, nullptr, nullptr, 0, nullptr, nullptr);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return {text_of(certificate_text), text_of(key_text)};
}

TlsClient::TlsClient(int fd, const TlsClientOptions& options)
    : context_(make_context(options)), ssl_(SSL_new(context_.get())) {
  SSL_set_app_data(ssl_, &ticket_);
  SSL_set_fd(ssl_, fd);
  SSL_set_connect_state(ssl_);
  SSL_set_tlsext_host_name(ssl_, "localhost");
  if (!options.ca.empty()) SSL_set1_host(ssl_, "localhost");
  if (options.resume) SSL_set_session(ssl_, options.resume.get());
  if (!options.alpn.empty()) {
    const std::string wire = std::string(1, static_cast<char>(options.alpn.size())) + options.alpn;
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(wire.data()),
                        static_cast<unsigned int>(wire.size()));
  }
}

TlsClient::~TlsClient() {
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // else OpenSSL spoils the ticket of a cut session
  SSL_free(ssl_);
}

TlsClient::Step TlsClient::step_of(int result) {
  if (result == 1) return Step::done;
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Step::again;
  if (error == SSL_ERROR_ZERO_RETURN) return Step::closed;
  const unsigned long last = ERR_peek_last_error();
  const char* words = last != 0 ? ERR_reason_error_string(last) : nullptr;
  error_ = words != nullptr ? words : "system error " + std::to_string(errno);
  return Step::failed;
}

TlsClient::Step TlsClient::shake() {
  ERR_clear_error();
  return step_of(SSL_do_handshake(ssl_));
}

TlsClient::Step TlsClient::read(std::string& append_to, size_t at_most) {
  const size_t before = append_to.size();
  size_t got = 0;
  append_to.resize(before + at_most);
  ERR_clear_error();
  const int result = SSL_read_ex(ssl_, append_to.data() + before, at_most, &got);
  append_to.resize(before + (result == 1 ? got : 0));
  return step_of(result);
}

TlsClient::Step TlsClient::write(std::string_view& bytes) {
  size_t sent = 0;
  ERR_clear_error();
  const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &sent);
  if (result == 1) bytes.remove_prefix(sent);
  return step_of(result);
}

void TlsClient::say_goodbye() {
  (void)SSL_shutdown(ssl_);
}

bool TlsClient::renegotiate() {
  return SSL_renegotiate(ssl_) == 1;
}

bool TlsClient::wants_write() const {
  return SSL_want_write(ssl_);
}

bool TlsClient::resumed() const {
  return SSL_session_reused(ssl_) == 1;
}

std::string TlsClient::version() const {
  return SSL_get_version(ssl_);
}

std::string TlsClient::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return std::string(reinterpret_cast<const char*>(name), size);
}

std::string TlsClient::server_name() const {
  char name[128] = "";
  if (X509* shown = SSL_get0_peer_certificate(ssl_)) {
    X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name, sizeof name);
  }
  return name;
}

std::shared_ptr<SSL_SESSION> TlsClient::ticket() const {
  return ticket_;
}

}  // namespace tokenrelay::support
