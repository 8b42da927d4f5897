// Package monitoring checks what ships for Prometheus and Grafana: the rules, the scrape
// configurations and the dashboard name metrics that the programs have, promtool takes them,
// and each alert leads to a section of docs/monitoring.md.
package monitoring
