// TLS alerts by name (RFC 8446 section 6, and the IANA registry "TLS Alerts").

#ifndef EKUBENCH_TLS_ALERT_H
#define EKUBENCH_TLS_ALERT_H

#define EKB_ALERT_MAX 256

// ekb_alert_name returns the registered name of `alert` ("unsupported_certificate"), a string
// literal; "unassigned" for a number without one.
const char *ekb_alert_name(int alert);

#endif
