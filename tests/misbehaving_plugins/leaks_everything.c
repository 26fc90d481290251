/* Puts its password and the private key, as they are and encoded, wherever a text may go. */
#include "misbehaving.h"

#include <stdlib.h>

static char* base64(const char* bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char* text = malloc(size * 2 + 8);
    char* end = text;
    size_t at, i;
    for (at = 0; at < size; at += 3) {
        unsigned bits = 0;
        for (i = 0; i < 3; ++i)
            bits = bits << 8 | (at + i < size ? (unsigned char)bytes[at + i] : 0u);
        for (i = 0; i < 4; ++i) *end++ = i > size - at ? '=' : digits[bits >> (18 - 6 * i) & 63];
    }
    *end = 0;
    return text;
}

static char* each_byte(const char* bytes, size_t size, const char* format) {
    char* text = malloc(size * 4 + 1);
    size_t i;
    text[0] = 0;
    for (i = 0; i < size; ++i) sprintf(text + strlen(text), format, (unsigned char)bytes[i]);
    return text;
}

static void tell(const certcast_host* host, const char* sentence) {
    const certcast_str text = {sentence, strlen(sentence)};
    const certcast_field field = {text, text};
    const certcast_bytes undo = {NULL, 0};
    size_t half = text.size / 2;
    printf("%.*s", (int)half, sentence);
    fflush(stdout);
    take(30); /* two reads of the host's */
    printf("%s\n", sentence + half);
    fflush(stdout);
    fprintf(stderr, "%.*s\n%s\n", (int)half, sentence, sentence + half);
    host->log(host, CERTCAST_ERROR, text, &field, 1);
    host->progress(host, 500, text);
    host->output(host, text, text);
    host->step(host, text, undo);
    host->wait(host, 1, text);
}

static void tell_encoded(const certcast_host* host, const char* bytes, size_t size) {
    char* sentence = malloc(size * 4 + 100);
    char* encoded;
    char name[100];
    tell(host, bytes);
    snprintf(name, sizeof name, "user:%.80s", bytes);
    encoded = base64(name, strlen(name));
    sprintf(sentence, "Authorization: Basic %s", encoded);
    tell(host, sentence);
    encoded = base64(bytes, size);
    sprintf(sentence, "{\"data\": \"%s\"}", encoded);
    tell(host, sentence);
    encoded = each_byte(bytes, size, "%02x");
    tell(host, encoded);
    encoded = each_byte(bytes, size, "%%%02X");
    sprintf(sentence, "GET /?password=%s", encoded);
    tell(host, sentence);
}

/* The lines of a key without those around it, in lines of another width. */
static void tell_rewrapped(const certcast_host* host, const char* pem) {
    char sentence[60] = "key: ";
    size_t size = 5;
    for (pem = strchr(pem, '\n'); *pem != 0 && *pem != '-'; ++pem) {
        if (*pem != '\n') sentence[size++] = *pem;
        if (size < 55 && pem[1] != '-') continue;
        strcpy(sentence + size, ".");
        tell(host, sentence);
        size = 5;
    }
}

static char* copy_of(certcast_bytes bytes) {
    char* text = malloc(bytes.size + 1);
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = 0;
    return text;
}

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_host* host = job->host;
    certcast_material_query query = {.size = sizeof query, .kind = CERTCAST_KEY_PEM};
    certcast_bytes password = {NULL, 0};
    certcast_bytes key = {NULL, 0};
    certcast_str message;
    char* text;
    char* line;
    if (host->secret(host, config_of(job, "password")->text, 0, &password) != CERTCAST_OK ||
        host->material(host, &query, &key) != CERTCAST_OK)
        return CERTCAST_FAILED;
    text = copy_of(password);
    tell_encoded(host, text, strlen(text));
    text = copy_of(key);
    tell(host, text);
    tell_rewrapped(host, text);
    for (line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (line[0] != '-') tell_encoded(host, line, strlen(line));
    }
    message.data = text = copy_of(password);
    message.size = strlen(text);
    host->fail(host, CERTCAST_AUTH_ERROR, CERTCAST_RETRY_NEVER, 0, message, message);
    return CERTCAST_FAILED;
}
MISBEHAVING_DEPLOYER("test-leaks-everything", CERTCAST_ABI_MAJOR, CERTCAST_NEEDS_KEY)
