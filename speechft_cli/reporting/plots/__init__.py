"""The report's pictures, each as PNG for Markdown and as SVG that follows the page's colours."""
