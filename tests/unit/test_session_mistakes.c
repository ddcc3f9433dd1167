/*
 * Mistakes in sessions. Is each named: where it is, what it is, what was meant, what there would be? And is
 * every one of them told, none with a secret in it?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cas/session/session.h"
#include "cas/session/tree.h"

#define HEAD "name: s\nversion: 0.1\n"
#define SERVICE HEAD "services:\n- name: a\n  attestation: [{memory_level: secret}]\n"
/* In texts of mistakes this word would be a secret. */
#define SECRET "hunter2"

/* clang-format off */
#define ROW(name, text, mistakes) {name, text, sizeof(text) - 1, mistakes}
static const struct row {
	const char *name, *text;
	size_t size;
	const char *mistakes; /* lines */
} rows[] = {
	ROW("empty", "",
	    "1:1: it is empty\n"),
	ROW("only a comment", "# nothing\n",
	    "1:1: it is empty\n"),
	ROW("a list", "- a\n",
	    "1:1: a session is a map of fields; here is a list\n"),
	ROW("a text", "hello\n",
	    "1:1: a session is a map of fields; here is a text\n"),
	ROW("no YAML", "name: [a\n" "version: 0.1\n",
	    "2:8: this is not YAML: while parsing a flow sequence: did not find expected ',' or ']'\n"),
	ROW("tabs", "name: s\n" "	version: 0.1\n",
	    "2:1: this is not YAML: while scanning a plain scalar: found a tab character that violates indentation\n"),
	ROW("an unclosed quote", "name: \"s\n",
	    "2:1: this is not YAML: while scanning a quoted scalar: found unexpected end of stream\n"),
	ROW("indentation", "name: s\n" " version: 0.1\n",
	    "2:9: this is not YAML: mapping values are not allowed in this context\n"),
	ROW("not UTF-8", "name: \xffs\n",
	    "1:7: the byte 0xff is not UTF-8 here\n"),
	ROW("overlong UTF-8", "name: \xc0\xafs\n",
	    "1:7: the byte 0xc0 is not UTF-8 here\n"),
	ROW("a surrogate", "name: \xed\xa0\x80\n",
	    "1:7: the byte 0xed is not UTF-8 here\n"),
	ROW("a control character", "name: s\n" "# \x07\n",
	    "2:3: the character U+0007 is not allowed: it cannot be seen\n"),
	ROW("a zero byte", "name: s\0\n",
	    "1:8: the character U+0000 is not allowed: it cannot be seen\n"),
	ROW("an escape to a zero byte", "name: \"s\\0\"\n",
	    "1:7: the character U+0000 is not allowed: it cannot be seen\n"),
	ROW("an escape to a control character", "name: \"s\\e[1m\"\n",
	    "1:7: the character U+001B is not allowed: it cannot be seen\n"),
	ROW("a turned direction", "name: s\xe2\x80\xae\n",
	    "1:8: the character U+202E is not allowed: it cannot be seen\n"),
	ROW("a byte order mark", "\xef\xbb\xbfname: s\n",
	    "1:1: the character U+FEFF is not allowed: it cannot be seen\n"),
	ROW("an anchor", "name: &a s\n" "version: 0.1\n",
	    "1:7: anchors and aliases (& and *) are not allowed: write it out\n"),
	ROW("an alias", "name: s\n" "version: *a\n",
	    "2:10: anchors and aliases (& and *) are not allowed: write it out, or quote a text that begins with *\n"),
	ROW("a merge", HEAD "<<: {a: b}\n",
	    "3:1: a session has no field \"<<\". Its fields: name, version, predecessor, creator, namespaces, secrets, volumes, images, services, access_policy\n"),
	ROW("a tag", "name: !!str s\n" "version: 0.1\n",
	    "1:7: tags (!) are not allowed: all values are texts\n"),
	ROW("a directive", "%YAML 1.1\n" "---\n" "name: s\n",
	    "1:1: directives (%) are not allowed\n"),
	ROW("two documents", HEAD "---\n" "name: t\n",
	    "3:1: a second document begins; a session is one\n"),
	ROW("a key that is a list", "? [a]\n" ": b\n",
	    "1:3: a field's name must be a text\n"),
	ROW("the same key twice", HEAD "name: t\n",
	    "3:1: \"name\" stands here twice; the first is in line 1\n"),
	ROW("too deep", "name: [[[[[[[[[[[[[a]]]]]]]]]]]]]\n",
	    "1:18: lists and maps lie more than 12 deep in each other\n"),
	ROW("an unknown field", HEAD "service: []\n",
	    "3:1: a session has no field \"service\"; did you mean \"services\"? Its fields: name, version, predecessor, creator, namespaces, secrets, volumes, images, services, access_policy\n"),
	ROW("a misspelt field", HEAD "acess_policy: {}\n",
	    "3:1: a session has no field \"acess_policy\"; did you mean \"access_policy\"? Its fields: name, version, predecessor, creator, namespaces, secrets, volumes, images, services, access_policy\n"),
	ROW("no name", "version: 0.1\n",
	    "1:1: a session needs the field \"name\"\n"),
	ROW("no version", "name: s\n",
	    "1:1: a session needs the field \"version\"\n"),
	ROW("another version", "name: s\n" "version: \"0.3\"\n",
	    "2:10: the session language has version 0.1 here, not \"0.3\"\n"),
	ROW("a name with a blank", "name: a b\n" "version: 0.1\n",
	    "1:7: a session's name (and each part of it between '/') has letters, digits, '_', '.' and '-' alone; this is \"a b\"\n"),
	ROW("a name that ends with a slash", "name: a/\n" "version: 0.1\n",
	    "1:7: a session's name (and each part of it between '/') has 1 to 63 characters; this is \"a/\"\n"),
	ROW("a name that is empty", "name: \"\"\n" "version: 0.1\n",
	    "1:7: the text is empty\n"),
	ROW("no value", "name:\n" "version: 0.1\n",
	    "1:6: here is no value; write \"\" for an empty text\n"),
	ROW("null", "name: ~\n" "version: 0.1\n",
	    "1:7: here is no value; write \"\" for an empty text\n"),
	ROW("a list for a text", "name: [s]\n" "version: 0.1\n",
	    "1:7: a text is wanted; here is a list\n"),
	ROW("a name that is too long", "name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" "version: 0.1\n",
	    "1:7: a session's name (and each part of it between '/') has 1 to 63 characters; this is \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"\n"),
	ROW("a predecessor that is short", HEAD "predecessor: abcd\n",
	    "3:14: a session's hash is 96 hexadecimal digits; here are 4 characters\n"),
	ROW("a predecessor with a letter", HEAD "predecessor: agagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagagag\n",
	    "3:14: a session's hash is 96 hexadecimal digits; here are 96 characters, not all of them digits\n"),
	ROW("a creator that is no key", HEAD "creator: me\n",
	    "3:10: the hash of the creator's key is 64 hexadecimal digits; here are 2 characters\n"),
	ROW("a creator with a bad certificate", HEAD "creator: |\n" "  -----BEGIN CERTIFICATE-----\n" "  AAAA\n" "  -----END CERTIFICATE-----\n",
	    "3:10: the certificate cannot be read: this is no certificate in PEM\n"),
	ROW("namespaces twice", HEAD "namespaces: [a, b, a]\n",
	    "3:20: two namespaces have the name \"a\"; the other one begins in line 3\n"),
	ROW("services that are a map", HEAD "services: {a: b}\n",
	    "3:11: services: a list is wanted; here is a map\n"),
	ROW("no services in the list", HEAD "services: []\n",
	    "3:11: services: the list is empty\n"),
	ROW("a service that is a text", HEAD "services: [a]\n",
	    "3:12: a service is a map of fields; here is a text\n"),
	ROW("a service without a name", HEAD "services:\n" "- attestation: [{memory_level: secret}]\n",
	    "4:3: a service needs the field \"name\"\n"),
	ROW("a service without attestation", HEAD "services:\n" "- name: a\n",
	    "4:3: a service needs the field \"attestation\"\n"),
	ROW("two services of one name", SERVICE "- name: a\n" "  attestation: [{memory_level: secret}]\n",
	    "6:3: two services have the name \"a\"; the other one begins in line 4\n"),
	ROW("a misspelt field of a service", SERVICE "  enviroment: {A: b}\n",
	    "6:3: a service has no field \"enviroment\"; did you mean \"environment\"? Its fields: name, command, environment, pwd, image_name, identity, attestation, tolerate, offline\n"),
	ROW("the beginning of a field's name", SERVICE "  image: a\n",
	    "6:3: a service has no field \"image\"; did you mean \"image_name\"? Its fields: name, command, environment, pwd, image_name, identity, attestation, tolerate, offline\n"),
	ROW("a command in quotes", SERVICE "  command: \"echo 'a b'\"\n",
	    "6:12: a command with quotes or backslashes is written as a list of its arguments: there is no shell to take it apart\n"),
	ROW("a command without words", SERVICE "  command: \"  \"\n",
	    "6:12: a command has 1 to 1024 words; here are 0\n"),
	ROW("an argument that is a list", SERVICE "  command: [a, [b]]\n",
	    "6:16: a text is wanted; here is a list\n"),
	ROW("an environment that is a list", SERVICE "  environment: [A=b]\n",
	    "6:16: environment: a map of variables is wanted, such as LANG: C\n"),
	ROW("a variable with =", SERVICE "  environment: {\"A=b\": c}\n",
	    "6:17: a variable's name has 1 to 255 bytes, no '=' and no blanks; this is \"A=b\"\n"),
	ROW("a variable without a value", SERVICE "  environment:\n" "    A:\n",
	    "7:7: here is no value; write \"\" for an empty text\n"),
	ROW("a directory that is relative", SERVICE "  pwd: data\n",
	    "6:8: a path in a cell begins with '/'; this is \"data\"\n"),
	ROW("a directory with dots", SERVICE "  pwd: /data/../etc\n",
	    "6:8: a path in a cell has no \".\" and \"..\"; this is \"/data/../etc\"\n"),
	ROW("a directory with a slash at its end", SERVICE "  pwd: /data/\n",
	    "6:8: a path in a cell has no empty parts and no '/' at its end; this is \"/data/\"\n"),
	ROW("an image that is not there", SERVICE "  image_name: db\n" "images:\n" "- name: db2\n",
	    "6:15: there is no image \"db\" in this session\n"),
	ROW("offline without a unit", SERVICE "  offline: 24\n",
	    "6:12: a time such as 90s, 15m, 24h or 7d is wanted, not \"24\"\n"),
	ROW("offline with another unit", SERVICE "  offline: 2w\n",
	    "6:12: a time such as 90s, 15m, 24h or 7d is wanted, not \"2w\"\n"),
	ROW("offline for too long", SERVICE "  offline: 60d\n",
	    "6:12: \"60d\" is more than the 31d that may be\n"),
	ROW("offline for no time", SERVICE "  offline: 0h\n",
	    "6:12: a time such as 90s, 15m, 24h or 7d is wanted, not \"0h\"\n"),
	ROW("an attestation that is a map", HEAD "services:\n" "- name: a\n" "  attestation: {cell: a}\n",
	    "5:16: attestation: a list is wanted; here is a map\n"),
	ROW("an attestation that is empty", HEAD "services:\n" "- name: a\n" "  attestation: []\n",
	    "5:16: attestation: the list is empty\n"),
	ROW("an alternative that is empty", HEAD "services:\n" "- name: a\n" "  attestation: [{}]\n",
	    "5:17: an alternative without a field would accept anything\n"),
	ROW("a misspelt requirement", HEAD "services:\n" "- name: a\n" "  attestation:\n" "  - memorylevel: secret\n",
	    "6:5: an alternative of attestation has no field \"memorylevel\"; did you mean \"memory_level\"? Its fields: cell, builder, executor, memory_level, machine, las, host, isolation\n"),
	ROW("a cell that is short", HEAD "services:\n" "- name: a\n" "  attestation:\n" "  - cell: [abc]\n",
	    "6:12: a cell's identity is 96 hexadecimal digits; here are 3 characters\n"),
	ROW("a cell that is to be filled in", HEAD "services:\n" "- name: a\n" "  attestation:\n" "  - cell: [\"<cell of x>\"]\n",
	    "6:12: a cell's identity is 96 hexadecimal digits; \"<cell of x>\" is to be filled in\n"),
	ROW("a builder as long as a cell", HEAD "services:\n" "- name: a\n" "  attestation:\n" "  - builder: abababababababababababababababababababababababababababababababababababababababababababababababab\n",
	    "6:14: a builder's key is 64 hexadecimal digits; here are 96 characters\n"),
	ROW("a memory level that there is not", HEAD "services:\n" "- name: a\n" "  attestation:\n" "  - memory_level: none\n",
	    "6:19: there is no memory level \"none\"; did you mean \"insecure-none\"? There are: insecure-none, secret, paged\n"),
	ROW("a machine class that there is not", HEAD "services:\n" "- name: a\n" "  attestation:\n" "  - machine: [sgx, snpp]\n",
	    "6:20: there is no machine class \"snpp\"; did you mean \"snp\"? There are: soft, tpm, snp, tdx, sgx, azure\n"),
	ROW("a host claim that there is not", HEAD "services:\n" "- name: a\n" "  attestation:\n" "  - host: yama-scope3\n",
	    "6:11: there is no host claim \"yama-scope3\"; did you mean \"yama-scope-3\"? There are: lockdown-confidentiality, yama-scope-3, kexec-disabled\n"),
	ROW("an isolation that there is not", HEAD "services:\n" "- name: a\n" "  attestation:\n" "  - isolation: [own-uid, chroot]\n",
	    "6:26: there is no isolation \"chroot\". There are: own-uid, user-namespace, mount-namespace, pid-namespace, net-namespace, ipc-namespace, uts-namespace, cgroup, no-inherited-filter, no-new-privs\n"),
	ROW("a cell tolerated", SERVICE "  tolerate: [cell]\n",
	    "6:14: \"cell\" says who gets the keys and cannot be tolerated; leave it out of attestation if it does not matter\n"),
	ROW("nothing tolerated", SERVICE "  tolerate: []\n",
	    "6:13: the list is empty\n"),
	ROW("a host claim tolerated without its group", SERVICE "  tolerate: kexec-disabled\n",
	    "6:13: there is no requirement that may fail \"kexec-disabled\"; did you mean \"host.kexec-disabled\"? There are: memory_level, machine, host.lockdown-confidentiality, host.yama-scope-3, host.kexec-disabled, isolation.own-uid, isolation.user-namespace, isolation.mount-namespace, isolation.pid-namespace, isolation.net-namespace, isolation.ipc-namespace, isolation.uts-namespace, isolation.cgroup, isolation.no-inherited-filter, isolation.no-new-privs\n"),
	ROW("a kind that there is not", HEAD "secrets:\n" "- {name: a, kind: asci, size: 4}\n",
	    "4:19: there is no kind of secret \"asci\"; did you mean \"ascii\"? There are: ascii, binary, private-key, public-key, x509, x509-ca\n"),
	ROW("a secret that is a list", HEAD "secrets:\n" "- [{a: b}]\n",
	    "4:3: a secret is a map of fields; here is a list\n"),
	ROW("a secret without a kind", HEAD "secrets:\n" "- name: a\n",
	    "4:3: a secret needs the field \"kind\"\n"),
	ROW("a secret without a size", HEAD "secrets:\n" "- {name: a, kind: binary}\n",
	    "4:3: a secret of kind binary without value and import is generated, and needs the field \"size\"\n"),
	ROW("a secret with a value and an import", HEAD "secrets:\n" "- {name: a, kind: ascii, value: b, import: {session: t}}\n",
	    "4:36: a secret has a value or an import, not both\n"),
	ROW("a secret with a value and a size", HEAD "secrets:\n" "- {name: a, kind: ascii, value: b, size: 3}\n",
	    "4:36: a secret of kind ascii with a value has no field \"size\"\n"),
	ROW("a size of nothing", HEAD "secrets:\n" "- {name: a, kind: ascii, size: 0}\n",
	    "4:32: a whole number from 1 to 4096 is wanted, not \"0\"\n"),
	ROW("a size with a unit", HEAD "secrets:\n" "- {name: a, kind: ascii, size: 4K}\n",
	    "4:32: a whole number from 1 to 4096 is wanted, not \"4K\"\n"),
	ROW("a value that is empty", HEAD "secrets:\n" "- {name: a, kind: ascii, value: \"\"}\n",
	    "4:33: the value is empty\n"),
	ROW("a value that is not ASCII", HEAD "secrets:\n" "- {name: a, kind: ascii, value: h\xc3\xbcnter2}\n",
	    "4:33: an ascii secret has characters of ASCII alone; anything else is kind binary, with its bytes in hexadecimal\n"),
	ROW("a value that is no hexadecimal", HEAD "secrets:\n" "- {name: a, kind: binary, value: hunter2}\n",
	    "4:34: the value of a binary secret is its bytes as hexadecimal digits, two for each\n"),
	ROW("a private key of an old format", HEAD "secrets:\n" "- name: a\n" "  kind: private-key\n" "  value: |\n" "    -----BEGIN EC PRIVATE KEY-----\n" "    hunter2\n" "    -----END EC PRIVATE KEY-----\n",
	    "6:10: a private key is PEM of PKCS#8, not encrypted, \"-----BEGIN PRIVATE KEY-----\"; convert it with: openssl pkcs8 -topk8 -nocrypt\n"),
	ROW("a certificate that is none", HEAD "secrets:\n" "- {name: a, kind: x509, value: hunter2}\n",
	    "4:32: the value of this kind is PEM, \"-----BEGIN CERTIFICATE-----\" on a line of its own; write it as a block: value: |\n"),
	ROW("a generated private key with a size", HEAD "secrets:\n" "- {name: a, kind: private-key, size: 32}\n",
	    "4:32: a secret of kind private-key that is generated has no field \"size\"\n"),
	ROW("a public key of nothing", HEAD "secrets:\n" "- {name: a, kind: public-key}\n",
	    "4:3: a secret of kind public-key without value and import is generated, and needs the field \"private_key\"\n"),
	ROW("a public key of a secret that is not there", HEAD "secrets:\n" "- {name: key, kind: private-key}\n" "- {name: a, kind: public-key, private_key: kex}\n",
	    "5:44: there is no secret \"kex\" in this session; did you mean \"key\"?\n"),
	ROW("a public key of a secret of another kind", HEAD "secrets:\n" "- {name: key, kind: binary, size: 32}\n" "- {name: a, kind: public-key, private_key: key}\n",
	    "5:44: \"private_key\" wants a secret of kind private-key; \"key\" is of kind binary\n"),
	ROW("a certificate for a wrong name", HEAD "secrets:\n" "- {name: k, kind: private-key}\n" "- {name: ca, kind: x509-ca, private_key: k, common_name: c}\n" "- {name: a, kind: x509, private_key: k, issuer: ca, common_name: c, dns: [a..b]}\n",
	    "6:75: a DNS name has letters, digits and '-' between dots; this is \"a..b\"\n"),
	ROW("a certificate for another end", HEAD "secrets:\n" "- {name: k, kind: private-key}\n" "- {name: ca, kind: x509-ca, private_key: k, common_name: c}\n" "- {name: a, kind: x509, private_key: k, issuer: ca, common_name: c, endpoint: sever}\n",
	    "6:79: there is no endpoint \"sever\"; did you mean \"server\"? There are: server, client\n"),
	ROW("a CA that cannot sign", HEAD "secrets:\n" "- {name: k, kind: private-key}\n" "- {name: ca, kind: x509-ca, import: {session: t}}\n" "- {name: a, kind: x509, private_key: k, issuer: ca, common_name: c}\n",
	    "6:49: \"ca\" cannot issue a certificate: it has no private_key in this session\n"),
	ROW("an import without a session", HEAD "secrets:\n" "- {name: a, kind: ascii, import: {name: b}}\n",
	    "4:34: an import needs the field \"session\"\n"),
	ROW("an import that is a text", HEAD "secrets:\n" "- {name: a, kind: ascii, import: t}\n",
	    "4:34: an import is a map of fields; here is a text\n"),
	ROW("an import that is exported", HEAD "secrets:\n" "- {name: a, kind: ascii, import: {session: t}, export: u}\n",
	    "4:48: what is imported is not exported again\n"),
	ROW("an export to one session twice", HEAD "secrets:\n" "- {name: a, kind: ascii, size: 8, export: [t, {session: t}]}\n",
	    "4:47: two exports have the name \"t\"; the other one begins in line 4\n"),
	ROW("two secrets of one name", HEAD "secrets:\n" "- {name: a, kind: ascii, size: 8}\n" "- {name: a, kind: binary, size: 8}\n",
	    "5:3: two secrets have the name \"a\"; the other one begins in line 4\n"),
	ROW("a reference to nothing", SERVICE "  command: [\"$$CELLA::pasword$$\"]\n" "secrets:\n" "- {name: password, kind: ascii, size: 8}\n",
	    "6:13: there is no secret \"pasword\" in this session; did you mean \"password\"?\n"),
	ROW("a reference without an end", SERVICE "  command: [\"$$CELLA::password:hex\"]\n",
	    "6:13: a reference to a secret does not end with $$ behind its name or format\n"),
	ROW("a reference without a name", SERVICE "  command: [\"$$CELLA::$$\"]\n",
	    "6:13: a reference to a secret has no name of a secret behind $$CELLA::\n"),
	ROW("a reference that is to be filled in", SERVICE "  command: [\"$$CELLA::<x>$$\"]\n",
	    "6:13: a reference to a secret is to be filled in: what stands between < and > behind $$CELLA::\n"),
	ROW("a reference with another format", SERVICE "  command: [\"$$CELLA::password:hexx$$\"]\n",
	    "6:13: a reference to a secret has a format that is none of hex, base64 and pem\n"),
	ROW("a reference of SCONE", SERVICE "  environment: {A: \"$$SCONE::password$$\"}\n",
	    "6:20: a reference to a secret begins with $$SCONE::; here it is $$CELLA::\n"),
	ROW("binary in an argument", SERVICE "  command: [\"$$CELLA::k$$\"]\n" "secrets:\n" "- {name: k, kind: binary, size: 8}\n",
	    "6:13: the secret \"k\" is binary: outside of files it needs a format, hex or base64\n"),
	ROW("a key in hexadecimal", SERVICE "  command: [\"$$CELLA::k:hex$$\"]\n" "secrets:\n" "- {name: k, kind: private-key}\n",
	    "6:13: the secret \"k\" is a key or certificate, whose format is pem (or none) alone\n"),
	ROW("a password as PEM", SERVICE "  command: [\"$$CELLA::k:pem$$\"]\n" "secrets:\n" "- {name: k, kind: ascii, size: 8}\n",
	    "6:13: the secret \"k\" is no key or certificate: its format cannot be pem\n"),
	ROW("a volume without a path", HEAD "volumes:\n" "- name: v\n",
	    "4:3: a volume needs the field \"path\"\n"),
	ROW("an access that there is not", HEAD "volumes:\n" "- {name: v, path: /v, access: r}\n",
	    "4:31: there is no access \"r\". There are: ro, rw\n"),
	ROW("an update policy that there is not", HEAD "volumes:\n" "- {name: v, path: /v, update_policy: bound}\n",
	    "4:38: there is no update policy \"bound\"; did you mean \"bounded COMMITS\"? There are: strict, bounded COMMITS, none\n"),
	ROW("bounded by nothing", HEAD "volumes:\n" "- {name: v, path: /v, update_policy: bounded 0}\n",
	    "4:38: a whole number from 1 to 1048576 is wanted, not \"0\"\n"),
	ROW("bounded by words", HEAD "volumes:\n" "- {name: v, path: /v, update_policy: bounded COMMITS}\n",
	    "4:38: a whole number from 1 to 1048576 is wanted, not \"COMMITS\"\n"),
	ROW("a key that is not there", HEAD "volumes:\n" "- {name: v, path: /v, key: k}\n",
	    "4:28: there is no secret \"k\" in this session to be the volume's key\n"),
	ROW("a key of another kind", HEAD "volumes:\n" "- {name: v, path: /v, key: k}\n" "secrets:\n" "- {name: k, kind: ascii, size: 32}\n",
	    "4:28: a volume's key is a secret of kind binary; \"k\" is of kind ascii\n"),
	ROW("a key of another size", HEAD "volumes:\n" "- {name: v, path: /v, key: k}\n" "secrets:\n" "- {name: k, kind: binary, size: 16}\n",
	    "4:28: a volume's key has 32 bytes; the secret \"k\" has 16\n"),
	ROW("an imported volume with a key", HEAD "volumes:\n" "- {name: v, path: /v, import: {session: t}, key: k}\n",
	    "4:45: a volume that is imported has no field \"key\": its own session says it\n"),
	ROW("an image with a volume that is not there", HEAD "volumes:\n" "- {name: data, path: /v}\n" "images:\n" "- {name: i, volumes: [date]}\n",
	    "6:23: there is no volume \"date\" in this session; did you mean \"data\"?\n"),
	ROW("two volumes at one place", HEAD "volumes:\n" "- {name: v, path: /v}\n" "- {name: w, path: /v}\n" "images:\n" "- {name: i, volumes: [v, w]}\n",
	    "7:22: the volumes \"v\" and \"w\" are both at \"/v\"\n"),
	ROW("a file in a volume", HEAD "volumes:\n" "- {name: v, path: /v}\n" "images:\n" "- {name: i, volumes: [v], injection_files: [{path: /v/a, content: b}]}\n",
	    "6:45: the file \"/v/a\" would lie in the volume \"v\"\n"),
	ROW("a file twice", HEAD "images:\n" "- name: i\n" "  injection_files:\n" "  - {path: /a, content: b}\n" "  - {path: /a, content: c}\n",
	    "7:5: two injected files have the name \"/a\"; the other one begins in line 6\n"),
	ROW("a file without content", HEAD "images:\n" "- {name: i, injection_files: [{path: /a}]}\n",
	    "4:31: an injected file needs the field \"content\"\n"),
	ROW("a right that there is not", HEAD "access_policy: {write: CREATOR}\n",
	    "3:17: access_policy has no field \"write\". Its fields: read, update, create\n"),
	ROW("nobody and somebody", HEAD "access_policy: {read: [NONE, CREATOR]}\n",
	    "3:24: ANY and NONE stand alone, not beside keys\n"),
	ROW("a cell twice", HEAD "access_policy: {read: [\"cella://a/b\", \"cella://a/b\"]}\n",
	    "3:39: this cell stands in the list twice\n"),
	ROW("a cell that is none", HEAD "access_policy: {read: [\"cella://a\", \"cella://a//b\", \"cella:///b\", \"cella://a/b\"]}\n",
	    "3:24: a cell's identity is cella://SESSION/SERVICE; this is \"cella://a\"\n"
	    "3:37: a session's name (and each part of it between '/') has 1 to 63 characters; this is \"a/\"\n"
	    "3:53: a cell's identity is cella://SESSION/SERVICE; this is \"cella:///b\"\n"),
	ROW("a cell that updates", HEAD "access_policy: {update: [CREATOR, \"cella://a/b\"], create: \"cella://a/b\"}\n",
	    "3:25: a cell may read; it may neither update nor create: name keys here\n"
	    "3:59: a cell may read; it may neither update nor create: name keys here\n"),
	ROW("an identity in a volume", HEAD "volumes: [{name: v, path: /data/v}]\n" "services: [{name: a, attestation: [{machine: tpm}], identity: /data/v/i}, {name: b, attestation: [{machine: tpm}], identity: /data}]\n",
	    "4:63: the identity at \"/data/v/i\" and the volume \"v\" would lie in each other\n"
	    "4:126: the identity at \"/data\" and the volume \"v\" would lie in each other\n"),
	ROW("an identity over files", HEAD "images: [{name: i, injection_files: [{path: /i/key.pem, content: x}]}]\n" "services: [{name: a, image_name: i, attestation: [{machine: tpm}], identity: /i}]\n",
	    "4:78: the injected file \"/i/key.pem\" would lie in the identity's directory\n"),
	ROW("an identity everywhere", HEAD "services: [{name: a, attestation: [{machine: tpm}], identity: /}]\n",
	    "3:63: identity: a directory of its own is wanted, such as /identity, of 1007 bytes at most\n"),
	ROW("a key twice", HEAD "access_policy: {read: [CREATOR, CREATOR]}\n",
	    "3:33: this key stands in the list twice\n"),
	ROW("two keys that are none", HEAD "access_policy: {read: [x, y]}\n",
	    "3:24: a key's hash (or else CREATOR, or a certificate in PEM) is 64 hexadecimal digits; here is 1 characters\n"
	    "3:27: a key's hash (or else CREATOR, or a certificate in PEM) is 64 hexadecimal digits; here is 1 characters\n"),
	ROW("no keys", HEAD "access_policy: {read: []}\n",
	    "3:23: here are 0 keys; there may be 1 to 64\n"),
	ROW("more than there are", HEAD "access_policy: {read: {at_least: 2, of: [CREATOR]}}\n",
	    "3:23: at_least is 2, and there is 1 key\n"),
	ROW("at least without of", HEAD "access_policy: {read: {at_least: 1}}\n",
	    "3:23: a right with several keys has either require_all, or at_least and of\n"),
	ROW("all and some", HEAD "access_policy: {read: {require_all: [CREATOR], at_least: 1}}\n",
	    "3:23: a right with several keys has either require_all, or at_least and of\n"),
	ROW("none of them", HEAD "access_policy: {read: {at_least: 0, of: [CREATOR]}}\n",
	    "3:34: a whole number from 1 to 64 is wanted, not \"0\"\n"),
};
/* clang-format on */

static void print(const struct session_mistakes *m, struct buf *ret)
{
	for (size_t i = 0; i < min_of(m->count, (size_t)SESSION_MISTAKES_MAX); i++)
		buf_printf(ret, "%u:%u: %s\n", m->items[i].line, m->items[i].column, m->items[i].text);
	buf_put_u8(ret, 0);
}

/* The mistakes of a text that has some; what is said of them in `err`. */
static void parse(const char *text, size_t size, struct session_mistakes *m, struct error *err)
{
	struct session *s = NULL;
	int rc = session_parse("file", text, size, NULL, m, &s, err);
	if (rc != CELLA_EFORMAT)
		fail_msg("it gives %d: %s\n%.*s", rc, rc < 0 ? err->text : "accepted", (int)size, text);
	assert_null(s);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_count(rows); i++) {
		cleanup_buf struct buf told = {0};
		struct session_mistakes m = {0};
		struct error err;
		parse(rows[i].text, rows[i].size, &m, &err);
		print(&m, &told);
		if (strcmp((char *)told.data, rows[i].mistakes) != 0)
			fail_msg("%s:\n%sexpected:\n%s", rows[i].name, (char *)told.data, rows[i].mistakes);
		if (strstr((char *)told.data, SECRET) || strstr(err.text, SECRET))
			fail_msg("%s: it tells the secret", rows[i].name);
	}
}

/* All of them at once, in the order of the text; and the sentence of the first. */
static void test_all_are_told(void **state)
{
	static const char text[] =
		"nam: s\nversion: 1\nservices:\n- name: a b\nsecrets:\n- {name: k, kind: no}\n";
	static const char expected[] =
		"1:1: a session has no field \"nam\"; did you mean \"name\"? Its fields: name, version, "
		"predecessor, creator, namespaces, secrets, volumes, images, services, access_policy\n"
		"1:1: a session needs the field \"name\"\n"
		"2:10: the session language has version 0.1 here, not \"1\"\n"
		"4:3: a service needs the field \"attestation\"\n"
		"4:9: a name has letters, digits, '_', '.' and '-' alone; this is \"a b\"\n"
		"6:19: there is no kind of secret \"no\". There are: ascii, binary, private-key, public-key, "
		"x509, x509-ca\n";
	cleanup_buf struct buf told = {0};
	struct session_mistakes m = {0};
	struct error err;
	(void)state;
	parse(text, strlen(text), &m, &err);
	print(&m, &told);
	assert_string_equal((char *)told.data, expected);
	assert_non_null(strstr(err.text, "file:1:1: a session has no field \"nam\""));
	assert_non_null(strstr(err.text, "(and 5 more mistakes)"));
}

/* More than can be told are counted. */
static void test_many(void **state)
{
	enum { MANY = 500 };
	cleanup_buf struct buf text = {0};
	struct session_mistakes m = {0};
	struct error err;
	(void)state;
	buf_printf(&text, HEAD);
	for (int i = 0; i < MANY; i++)
		buf_printf(&text, "field%d: a\n", i);
	parse((char *)text.data, text.size, &m, &err);
	assert_int_equal(m.count, MANY);
	assert_int_equal(m.items[SESSION_MISTAKES_MAX - 1].line, 2 + SESSION_MISTAKES_MAX);
}

/* ---- limits: a text at each is accepted, one beyond is refused by name */

static int parse_buf(const struct buf *b, struct error *err)
{
	struct session *s = NULL;
	assert_false(b->failed);
	int rc = session_parse("file", b->data, b->size, NULL, NULL, &s, err);
	session_free(s);
	return rc;
}

static void put_list(struct buf *b, const char *field, size_t count, const char *item)
{
	buf_printf(b, "%s\n", field);
	for (size_t i = 0; i < count; i++)
		buf_printf(b, item, (int)i);
}

static void test_limits(void **state)
{
	static const struct {
		const char *before, *item;
		size_t most;
		const char *refused;
	} cases[] = {
		{"secrets:", "- {name: k%d, kind: ascii, size: 1}\n", SESSION_SECRETS_MAX,
	         "file:4:1: secrets: 1025, and there may be 1024"},
		{"volumes:", "- {name: v%d, path: /v}\n", SESSION_VOLUMES_MAX,
	         "file:4:1: volumes: 257, and there may be 256"},
		{"images:", "- {name: i%d}\n", SESSION_IMAGES_MAX,
	         "file:4:1: images: 257, and there may be 256"},
		{"images:\n- name: i\n  injection_files:", "  - {path: /f%d, content: a}\n",
	         SESSION_FILES_MAX, "file:6:3: injection_files: 257, and there may be 256"},
		{"namespaces:", "- n%d\n", SESSION_NAMESPACES_MAX,
	         "file:4:1: namespaces: 257, and there may be 256"},
		{"services:", "- {name: s%d, attestation: [{machine: tpm}]}\n", SESSION_SERVICES_MAX,
	         "file:4:1: services: 257, and there may be 256"},
		{"services:\n- name: a\n  attestation:", "  - {memory_level: secret}#%d\n",
	         SESSION_ALTERNATIVES_MAX, "file:6:3: attestation: 65, and there may be 64"},
		{"services:\n- name: a\n  attestation: [{machine: tpm}]\n  command:", "  - a%d\n",
	         SESSION_ARGUMENTS_MAX, "file:7:3: command: 1025, and there may be 1024"},
		{"services:\n- name: a\n  attestation: [{machine: tpm}]\n  environment:", "    A%d: a\n",
	         SESSION_FIELDS_MAX, "file:1031:5: more than 1024 fields in one map"},
	};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		for (size_t more = 0; more <= 1; more++) {
			cleanup_buf struct buf b = {0};
			struct error err = {0};
			buf_printf(&b, HEAD);
			put_list(&b, cases[i].before, cases[i].most + more, cases[i].item);
			int rc = parse_buf(&b, &err);
			if (rc != (more ? CELLA_EFORMAT : 0) ||
			    (more && strcmp(err.text, cases[i].refused) != 0))
				fail_msg("%s, %zu: %d, %s", cases[i].before, cases[i].most + more, rc,
				         err.text);
		}
	}
}

static void put_repeated(struct buf *b, char c, size_t count)
{
	uint8_t *to = buf_reserve(b, count);
	assert_non_null(to);
	memset(to, c, count);
}

static void test_sizes(void **state)
{
	(void)state;
	for (size_t more = 0; more <= 1; more++) {
		cleanup_buf struct buf argument = {0}, whole = {0};
		struct error err = {0};
		buf_printf(&argument, SERVICE "  command: [");
		put_repeated(&argument, 'a', SESSION_STRING_MAX + more);
		buf_printf(&argument, "]\n");
		assert_int_equal(parse_buf(&argument, &err), more ? CELLA_EFORMAT : 0);
		if (more)
			assert_string_equal(err.text, "file:6:13: 65537 bytes, and a text may have 65536");
		buf_printf(&whole, HEAD "#");
		put_repeated(&whole, 'a', SESSION_TEXT_MAX - whole.size + more);
		assert_int_equal(parse_buf(&whole, &err), more ? CELLA_EFORMAT : 0);
		if (more)
			assert_string_equal(err.text, "file:1:1: it is larger than 1048576 bytes");
	}
}

/* What takes YAML parsers long, or much memory, or many frames of the stack, ends early. */
static void test_bombs(void **state)
{
	static const struct {
		const char *piece;
		size_t times;
		const char *refused;
	} cases[] = {
		{"[", 200000, "file:1:13: lists and maps lie more than 12 deep in each other"},
		{"{a: ", 200000, "file:1:49: lists and maps lie more than 12 deep in each other"},
		{"- ", 200000, "file:1:25: lists and maps lie more than 12 deep in each other"},
		{"? ", 200000, "file:1:3: a field's name must be a text"},
		{"- a\n", 200000, "file:32768:3: more than 32768 values: a session may not have so many"},
		{"a: &a [b, c]\n", 1000,
	         "file:1:4: anchors and aliases (& and *) are not allowed: write it out"},
	};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_buf struct buf b = {0};
		struct error err = {0};
		for (size_t j = 0; j < cases[i].times; j++)
			buf_printf(&b, "%s", cases[i].piece);
		int rc = parse_buf(&b, &err);
		if (rc != CELLA_EFORMAT || strcmp(err.text, cases[i].refused) != 0)
			fail_msg("%s: %d, %s", cases[i].piece, rc, err.text);
	}
}

/* A pool that is too small is said so; nothing else happens. */
static void test_no_memory(void **state)
{
	cleanup_buf struct buf b = {0};
	struct mem_pool *pool;
	struct session *s = NULL;
	struct error err;
	(void)state;
	assert_int_equal(mem_pool_new(MEM_INSECURE_NONE, 1 << 20, &pool, &err), 0);
	buf_printf(&b, HEAD);
	buf_printf(&b, "images:\n- name: i\n  injection_files:\n");
	for (int i = 0; i < 15; i++) {
		buf_printf(&b, "  - path: /f%d\n    content: ", i);
		put_repeated(&b, 'a', SESSION_STRING_MAX);
		buf_printf(&b, "\n");
	}
	assert_int_equal(session_parse("file", b.data, b.size, pool, NULL, &s, &err), CELLA_ENOMEM);
	assert_string_equal(err.text, "file: no memory for the session");
	assert_null(s);
	mem_pool_free(pool);
}

/* libyaml asks for its memory where it is wiped. */
static void test_memory_is_ours(void **state)
{
	unsigned long before = tree_memory_count();
	struct session_mistakes m;
	struct error err;
	(void)state;
	parse("[]", 2, &m, &err);
	assert_true(tree_memory_count() > before);
}

int main(void)
{
	struct error err;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),     cmocka_unit_test(test_all_are_told),
		cmocka_unit_test(test_many),      cmocka_unit_test(test_limits),
		cmocka_unit_test(test_sizes),     cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_memory_is_ours),
	};
	if (crypto_init(NULL, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests_name("session_mistakes", tests, NULL, NULL);
}
