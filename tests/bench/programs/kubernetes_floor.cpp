// kubernetes_floor URL CA_FILE TOKEN SECRETS PARALLEL CERTIFICATE KEY: what libcurl itself takes to
// apply a TLS secret for each line "NAMESPACE NAME" of SECRETS, one connection and one process for
// each, without looking at what is there, or at what came of it. Prints the seconds that took.
#include "tests/bench/programs/fork_each.hpp"

#include <curl/curl.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace {

std::string base64_of(const std::string& path) {
    std::ifstream file(path);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    text.resize(static_cast<std::size_t>(EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(text.data()),
        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()))));
    return text;
}

std::size_t drop(char*, std::size_t, std::size_t count, void*) {
    return count;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 8) return 2;
    const std::string url = argv[1];
    const std::string authorization = "Authorization: Bearer " + std::string(argv[3]);
    std::vector<std::pair<std::string, std::string>> secrets;
    std::ifstream list(argv[4]);
    for (std::string name_space, name; list >> name_space >> name;) {
        secrets.emplace_back(name_space, name);
    }
    const std::size_t parallel = std::strtoul(argv[5], nullptr, 10);
    const std::string data = R"("type":"kubernetes.io/tls","data":{"tls.crt":")" +
                             base64_of(argv[6]) + R"(","tls.key":")" + base64_of(argv[7]) + "\"}}";
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const auto apply = [&](const std::string& name_space, const std::string& name) {
        const std::string body =
            R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":")" + name + "\"}," + data;
        const std::string where =
            url + "/api/v1/namespaces/" + name_space + "/secrets/" + name + "?fieldManager=bare";
        CURL* const curl = curl_easy_init();
        curl_slist* headers = curl_slist_append(nullptr, authorization.c_str());
        headers = curl_slist_append(headers, "Content-Type: application/apply-patch+yaml");
        curl_easy_setopt(curl, CURLOPT_URL, where.c_str());
        curl_easy_setopt(curl, CURLOPT_CAINFO, argv[2]);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PATCH");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
        long status = 0;
        const bool sent = curl_easy_perform(curl) == CURLE_OK;
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        return sent && status >= 200 && status < 300;
    };
    return fork_each(secrets.size(), parallel, "kubernetes_floor",
                     [&](std::size_t i) { return apply(secrets[i].first, secrets[i].second); });
}
