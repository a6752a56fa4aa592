"""The vendors' wire protocols as small local servers, with faults on demand; production code never imports them."""
