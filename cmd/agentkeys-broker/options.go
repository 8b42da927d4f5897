package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"

	"github.com/agentkeys/agentkeys/internal/cli"
)

// serveFlags are the options of serve as they are typed. An option that may be left out is nil then.
type serveFlags struct {
	dataFlag

	Listen        *string  `placeholder:"ADDR" help:"HOST:PORT or unix:///path; port 0 picks a free one. Default: 127.0.0.1:8420."`
	TLS           *string  `name:"tls" placeholder:"self-signed" help:"TLS by a key of its own in DIR/tls-key.pem. The printed URL holds the key's pin, and clients believe no other key."`
	TLSCert       *string  `name:"tls-cert" placeholder:"FILE" help:"TLS by a certificate that an authority signed: the chain, PEM."`
	TLSKey        *string  `name:"tls-key" placeholder:"FILE" help:"The certificate's key, PEM."`
	URLHost       *string  `name:"url-host" placeholder:"NAME" help:"The host in the printed URL, as other machines reach it. Default: what --listen names, or this machine's name."`
	InsecureHTTP  *bool    `name:"insecure-http" help:"Plain HTTP on any address: only behind a proxy that speaks TLS."`
	TrustedProxy  []string `name:"trusted-proxy" placeholder:"CIDR" sep:"none" help:"Whose X-Forwarded-For counts; may be repeated."`
	MetricsListen *string  `name:"metrics-listen" placeholder:"ADDR" help:"/metrics, /livez and /readyz on an address of their own."`
	LogLevel      *string  `name:"log-level" placeholder:"LEVEL" help:"debug, info, warn or error. Default: info."`
	LogFormat     *string  `name:"log-format" placeholder:"FORMAT" help:"text or json. Default: text."`
}

// options are the flags of serve, checked.
type options struct {
	listen, data, metrics   string
	tls, cert, key, urlHost string
	insecure                bool
	proxies                 []netip.Prefix
	level                   slog.Level
	format                  string
}

// modeSelfSigned is the one value of --tls.
const modeSelfSigned = "self-signed"

func (o options) selfSigned() bool { return o.tls != "" }

// encrypted reports whether the main listener speaks TLS.
func (o options) encrypted() bool { return o.selfSigned() || o.cert != "" }

// unsaid are the options of a start without flags.
func unsaid() options {
	return options{listen: "127.0.0.1:8420", level: slog.LevelInfo, format: "text"}
}

// parseServe reads options that args wrote, for example those of the serving broker.
func parseServe(args []string) (options, error) {
	f, err := readFlags(args)
	if err != nil {
		return options{}, err
	}
	o, err := unsaid().with(f)
	if err != nil {
		return o, err
	}
	return o, o.check()
}

func readFlags(args []string) (serveFlags, error) {
	var g grammar
	_, err := definition().Parse(&g, append([]string{"serve"}, args...), io.Discard, &bytes.Buffer{})
	return g.Serve.serveFlags, err
}

// with is o changed by f, unchecked. What f leaves out is unchanged.
func (o options) with(f serveFlags) (options, error) {
	o.data = f.Data
	set(&o.listen, f.Listen)
	set(&o.urlHost, f.URLHost)
	set(&o.metrics, f.MetricsListen)
	set(&o.insecure, f.InsecureHTTP)
	set(&o.format, f.LogFormat)
	if f.TLS != nil || f.TLSCert != nil || f.TLSKey != nil { // one kind of TLS replaces the other
		o.tls, o.cert, o.key = "", "", ""
	}
	set(&o.tls, f.TLS)
	set(&o.cert, f.TLSCert)
	set(&o.key, f.TLSKey)
	if f.LogLevel != nil && o.level.UnmarshalText([]byte(*f.LogLevel)) != nil {
		return o, cli.Usage(fmt.Sprintf("unknown log level %q", *f.LogLevel), "--log-level debug, info, warn or error")
	}
	if len(f.TrustedProxy) > 0 {
		o.proxies = nil
	}
	for _, text := range f.TrustedProxy {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return o, cli.Usage(fmt.Sprintf("--trusted-proxy %q is no range of addresses", text), "--trusted-proxy 127.0.0.1/32")
		}
		o.proxies = append(o.proxies, p)
	}
	return o, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// absolute makes file names absolute, so that another process finds the same files.
func (f *serveFlags) absolute() error {
	for _, path := range []*string{f.TLSCert, f.TLSKey} {
		if path == nil || *path == "" {
			continue
		}
		full, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("look for %s: %w", *path, err)
		}
		*path = full
	}
	return nil
}

// args are the arguments for f, for another process.
func (f serveFlags) args() []string {
	list := []string{"--data", f.Data}
	for _, flag := range []struct {
		name  string
		value *string
	}{
		{"--listen", f.Listen}, {"--tls", f.TLS}, {"--tls-cert", f.TLSCert}, {"--tls-key", f.TLSKey}, {"--url-host", f.URLHost},
		{"--metrics-listen", f.MetricsListen}, {"--log-level", f.LogLevel}, {"--log-format", f.LogFormat},
	} {
		if flag.value != nil {
			list = append(list, flag.name+"="+*flag.value)
		}
	}
	if f.InsecureHTTP != nil {
		list = append(list, fmt.Sprintf("--insecure-http=%t", *f.InsecureHTTP))
	}
	for _, p := range f.TrustedProxy {
		list = append(list, "--trusted-proxy="+p)
	}
	return list
}
