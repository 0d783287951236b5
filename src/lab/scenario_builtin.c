// The deployments of docs/domain.md section 11, one a row.

#include "ekubench/lab/scenario.h"

#include <string.h>

// CA1 is an internal CA, CA2 a public one.
#define HEAD(name, title)                                                                          \
    "[deployment]\nname = " name "\ntitle = " title "\nca = CA1, CA2, CA3\nrelease = X15.5\n"

#define CORE(server, client)                                                                       \
    "[node C]\nkind = core\ntrust = CA1, CA2\nserver = " server "\nclient = " client "\n"
#define EDGE(server, client)                                                                       \
    "[node E]\nkind = edge\ntrust = CA1, CA2\nserver = " server "\nclient = " client "\n"
#define CUCM "[node CUCM]\nkind = far\ntrust = CA1, CA2\nserver = CA1 server\nclient = CA1 both\n"

// What mobile and remote access needs.
#define MRA_LINKS                                                                                  \
    "[link uc-zone]\ninitiator = C\nresponder = E\n"                                               \
    "[link ssh-tunnel]\ninitiator = C\nresponder = E\n"                                            \
    "[link sip-service]\ninitiator = E\nresponder = C\n"                                           \
    "[link traffic-server]\ninitiator = C\nresponder = CUCM\n"

#define ALL_WORK                                                                                   \
    "[expect]\nuc-zone = active\nssh-tunnel = active\nsip-service = active\n"                      \
    "traffic-server = active\nmra = works\n"

// What a node logs of an inbound connection that it refuses for the usage.
#define WRONG_USAGE                                                                                \
    "failed, unsupported_certificate, log=Detail=\"unsupported certificate purpose\"\n"

#define TRAFFIC "[link traffic-server]\ninitiator = C\nresponder = CUCM\n"

const struct ekb_scenario_builtin ekb_scenario_builtins[EKB_NUM_SCENARIOS_BUILTIN] = {
    {"condition-1",
     HEAD("condition-1", "After the upgrade to two stores: one public "
                         "certificate for both") "eku-mode = on, off\n" CORE("CA2 both", "upgrade")
         EDGE("CA2 both", "upgrade") CUCM MRA_LINKS ALL_WORK},
    {"test-case-1",
     HEAD("test-case-1", "Condition 2: public certificates without clientAuth "
                         "in both stores, check on") "eku-mode = on\n" CORE("CA2 server", "copy")
         EDGE("CA2 server", "copy") CUCM MRA_LINKS
     "[expect]\nuc-zone = " WRONG_USAGE "ssh-tunnel = " WRONG_USAGE
     "sip-service = active\ntraffic-server = active\nmra = fails\n"},
    {"test-case-2",
     HEAD("test-case-2", "Condition 2: public certificates without clientAuth "
                         "in both stores, check off") "eku-mode = off\n" CORE("CA2 server", "copy")
         EDGE("CA2 server", "copy") CUCM MRA_LINKS
     "[expect]\nuc-zone = active\nssh-tunnel = " WRONG_USAGE
     "sip-service = active\ntraffic-server = active\nmra = fails\n"},
    {"condition-2.1",
     HEAD("condition-2.1", "C's client certificate from the internal CA, all else public, "
                           "server only") "eku-mode = on, off\n" CORE("CA2 server", "CA1 both")
         EDGE("CA2 server", "copy") CUCM MRA_LINKS ALL_WORK},
    {"condition-3",
     HEAD("condition-3", "All certificates from the internal CA, which a far "
                         "end does not trust") "eku-mode = on, off\n" CORE("CA1 both", "CA1 both")
         EDGE("CA1 both", "CA1 both") CUCM
     "[node far]\nkind = far\ntrust = CA2\nserver = CA2 server\nclient = CA2 both\n" MRA_LINKS
     "[link b2b]\ninitiator = E\nresponder = far\n" ALL_WORK "b2b = failed, unknown_ca\n"},
    {"condition-4",
     HEAD("condition-4", "E's client certificate is a copy of its server's, "
                         "without clientAuth") "eku-mode = on, off\n" CORE("CA1 both", "CA1 both")
         EDGE("CA2 server", "copy") CUCM
     "[node far-on]\nkind = far\neku-mode = on\nserver = CA2 server\nclient = CA2 both\n"
     "[node far-off]\nkind = far\neku-mode = off\nserver = CA2 server\nclient = CA2 "
     "both\n" MRA_LINKS "[link b2b-on]\nkind = b2b\ninitiator = E\nresponder = far-on\n"
     "[link b2b-off]\nkind = b2b\ninitiator = E\nresponder = far-off\n" ALL_WORK
     "b2b-on = failed, unsupported_certificate\nb2b-off = active\n"},
    {"scenario-1",
     HEAD("scenario-1",
          "E as TLS client to Webex: it presents its client "
          "certificate") "eku-mode = on, off\n" EDGE("CA2 server",
                                                     "CA1 both") "[node webex]\nkind = far\nserver "
                                                                 "= CA2 server\nclient = "
                                                                 "CA2 both\n"
                                                                 "[link b2b]\ninitiator = "
                                                                 "E\nresponder = webex\n"
                                                                 "[expect]\nb2b = active, asks\n"},
    {"scenario-2",
     HEAD("scenario-2",
          "E as TLS server of a neighbor zone: it presents its server "
          "certificate") "eku-mode = on, off\n" EDGE("CA2 server",
                                                     "CA1 both") "[node neighbor]\nkind = "
                                                                 "far\nserver = CA2 server\nclient "
                                                                 "= CA2 both\n"
                                                                 "[link neighbor]\ninitiator = "
                                                                 "neighbor\nresponder = E\n"
                                                                 "[expect]\nneighbor = active, "
                                                                 "asks\n"},
    {"test-case-3",
     HEAD("test-case-3", "C to CUCM: it presents its client certificate, and verifies the "
                         "server") "eku-mode = on, off\n" CORE("CA2 server", "CA1 both") CUCM
     "[link traffic-server]\ninitiator = C\nresponder = CUCM\nport = 6972\n"
     "[expect]\ntraffic-server = active, asks\n"},
    {"traffic-1",
     "[deployment]\nname = traffic-1\ntitle = CUCM with a trusted RSA certificate and a "
     "self-signed ECDSA one\n"
     "ca = CA1, CA2, CA3\nrelease = X14.1, X14.2, X15.5\n" CORE(
         "CA1 both",
         "CA1 both") "[node CUCM]\nkind = far\nserver = CA1 server rsa2048\nsecond = "
                     "self-signed server p256\n" TRAFFIC "[expect X14.1]\ntraffic-server = active\n"
                     "[expect X14.2]\ntraffic-server = failed, verify_self_signed_leaf, depth=0\n"
                     "[expect X15.5]\ntraffic-server = failed, verify_self_signed_leaf, depth=0\n"},
    {"traffic-2",
     HEAD("traffic-2", "CUCM with a certificate of a CA that C does not trust") CORE(
         "CA1 both", "CA1 both") "[node CUCM]\nkind = far\nserver = CA3 server depth=2\n" TRAFFIC
                                 "[expect]\ntraffic-server = failed, unknown_ca, depth>0\n"},
    {"traffic-3", HEAD("traffic-3", "CUCM by an IP address that is not in its certificate") CORE(
                      "CA1 both", "CA1 both") "[node CUCM]\nkind = far\nserver = CA1 server\n"
                                              "[link traffic-server]\ninitiator = C\nresponder = "
                                              "CUCM\naddress = 192.0.2.10\n"
                                              "[expect]\ntraffic-server = failed, verify_ip, "
                                              "log=SNI (192.0.2.10) not in certificate\n"},
};

const struct ekb_scenario_builtin *ekb_scenario_builtin_find(const char *name)
{
    for (size_t i = 0; i < EKB_NUM_SCENARIOS_BUILTIN; i++) {
        if (strcmp(ekb_scenario_builtins[i].name, name) == 0) {
            return &ekb_scenario_builtins[i];
        }
    }
    return NULL;
}
