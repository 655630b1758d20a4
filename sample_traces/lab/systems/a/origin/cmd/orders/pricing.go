package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/httptrace/otelhttptrace"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"seamscope.example/origin/internal/witness"
)

type price struct {
	SKU   int `json:"sku"`
	Cents int `json:"price_cents"`
}

// peer says how to reach pricing.
type peer struct {
	url         string
	owner       string        // as witness lines call it
	trust       string        // its certificate, for HTTPS
	connections int           // at most at once; 0: no limit
	idle        time.Duration // how long a connection is kept
	timeout     time.Duration // of one attempt; then a second is made. 0: ten seconds and no second
	phases      bool          // spans for dns, connect, tls and the wait for a connection
}

// pricing is the service that knows today's prices.
type pricing struct {
	peer
	client *http.Client
}

// traced is a client whose calls are spans; with phases it says when it resolves, connects, shakes hands and waits.
func traced(transport http.RoundTripper, phases bool) *http.Client {
	var options []otelhttp.Option
	if phases {
		options = append(options, otelhttp.WithClientTrace(func(ctx context.Context) *httptrace.ClientTrace {
			return otelhttptrace.NewClientTrace(ctx)
		}))
	}
	return &http.Client{Transport: otelhttp.NewTransport(transport, options...), Timeout: 10 * time.Second}
}

// openPricing prepares the client.
func openPricing(at peer) (*pricing, error) {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 32,
		MaxConnsPerHost:     at.connections,
		IdleConnTimeout:     at.idle,
		TLSHandshakeTimeout: 5 * time.Second,
	}
	if at.trust != "" {
		pem, err := os.ReadFile(at.trust)
		if err != nil {
			return nil, fmt.Errorf("certificate of pricing: %w", err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	}
	return &pricing{at, traced(transport, at.phases)}, nil
}

// quotes asks for the prices of these products, once more where the first attempt took too long.
func (p *pricing) quotes(ctx context.Context, skus []int) (map[int]int, error) {
	if p.timeout == 0 {
		return p.attempt(ctx, skus)
	}
	started := witness.Now()
	first, cancel := context.WithTimeout(ctx, p.timeout)
	prices, err := p.attempt(first, skus)
	cancel()
	if !errors.Is(err, context.DeadlineExceeded) {
		return prices, err
	}
	witness.Since(ctx, "retry", witness.Own(), started, "a timer around the attempt that was given up")
	return p.attempt(ctx, skus)
}

func (p *pricing) attempt(ctx context.Context, skus []int) (map[int]int, error) {
	query := url.Values{}
	for _, sku := range skus {
		query.Add("sku", strconv.Itoa(sku))
	}
	timed := witness.Client(ctx, p.owner)
	request, err := http.NewRequestWithContext(timed, http.MethodGet, p.url+"/quotes?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	witness.PassOn(ctx, request.Header)
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("pricing answered %s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	var listed []price
	if err := json.Unmarshal(body, &listed); err != nil {
		return nil, fmt.Errorf("pricing: %w", err)
	}
	byProduct := make(map[int]int, len(listed))
	for _, one := range listed {
		byProduct[one.SKU] = one.Cents
	}
	return byProduct, nil
}

// carrier is a third party that knows what shipping costs. It sends no spans, and is not asked to.
type carrier struct {
	url    string
	client *http.Client
}

// rate asks the carrier.
func (c *carrier) rate(ctx context.Context, id string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/rates/"+id, nil)
	if err != nil {
		return 0, err
	}
	started := witness.Now()
	defer func() {
		witness.Since(ctx, "external_call", "external:"+request.URL.Hostname(), started, "a timer around the call")
	}()
	response, err := c.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var found struct {
		Cents int `json:"cents"`
	}
	err = json.NewDecoder(response.Body).Decode(&found)
	trace.SpanFromContext(ctx).SetAttributes(attribute.Int("shop.shipping_cents", found.Cents))
	return found.Cents, err
}
