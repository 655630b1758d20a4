package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
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

	"seamscope.example/origin/internal/witness"
)

type price struct {
	SKU   int `json:"sku"`
	Cents int `json:"price_cents"`
}

// pricing is the service that knows today's prices.
type pricing struct {
	url    string
	client *http.Client
}

// openPricing prepares a client that says when it resolves, connects, shakes hands and waits for a connection.
func openPricing(base, trusted string) (*pricing, error) {
	transport := &http.Transport{
		DialContext:         witness.Dial((&net.Dialer{Timeout: 5 * time.Second}).DialContext),
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second,
	}
	if trusted != "" {
		pem, err := os.ReadFile(trusted)
		if err != nil {
			return nil, fmt.Errorf("certificate of pricing: %w", err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	}
	traced := otelhttp.NewTransport(transport, otelhttp.WithClientTrace(func(ctx context.Context) *httptrace.ClientTrace {
		return otelhttptrace.NewClientTrace(ctx)
	}))
	return &pricing{base, &http.Client{Transport: traced, Timeout: 10 * time.Second}}, nil
}

// quotes asks for the prices of these products.
func (p *pricing) quotes(ctx context.Context, skus []int) (map[int]int, error) {
	query := url.Values{}
	for _, sku := range skus {
		query.Add("sku", strconv.Itoa(sku))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/quotes?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Request-Id", witness.RequestOf(ctx))
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
